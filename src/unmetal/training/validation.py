"""How good a method is while it is trained: slices of patients kept out of the training."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from unmetal.cohorts import unpaired
from unmetal.cohorts.prepared import Prepared
from unmetal.cohorts.samples import Choice, Samples, View
from unmetal.cohorts.splits import VALIDATION
from unmetal.cohorts.unpaired import Config, shown
from unmetal.methods.method import Method
from unmetal.metrics.image_quality import adn_protocol
from unmetal.physics.derive import body_mask, metal_mask
from unmetal.physics.protocol import PROTOCOLS
from unmetal.scan import Scan
from unmetal.units import WINDOW, mu_to_hu, mu_to_unit


class Validation:
    """The same scans every time: each validation slice with metal of its own, noise included."""

    def __init__(self, samples: Samples, batch: int = 8) -> None:
        slices = samples.cohort.having("validation")
        choices = [plain(samples, index, int(slice)) for index, slice in enumerate(slices)]
        noise = torch.Generator(samples.device).manual_seed(20_011)
        self.scans: list[Scan] = [
            samples.scan(choices[first : first + batch], noise)
            for first in range(0, len(choices), batch)
        ]
        self.before = mean([adn_protocol(*protocol(scan, scan.image)) for scan in self.scans])

    @torch.no_grad()
    def __call__(self, method: Method) -> dict[str, float]:
        """The paper's metrics, means over all validation slices."""
        method.eval()
        found = [adn_protocol(*protocol(scan, method.reduce(scan))) for scan in self.scans]
        method.train()
        return mean(found)

    @torch.no_grad()
    def pictures(self, method: Method, count: int = 6) -> list[Tensor]:
        """Input, output and truth of the first slices, `[count 1 H W]` in [0, 1] each."""
        scan = self.scans[0]
        assert scan.clean is not None
        method.eval()
        rows = [scan.image, method.reduce(scan), scan.clean]
        method.train()
        return [mu_to_unit(row[:count]) for row in rows]


def plain(samples: Samples, index: int, slice: int) -> Choice:
    """A validation slice as it is, with metal drawn for it alone."""
    draw = np.random.default_rng([20_011, index])
    view = View(slice, flip=False, zoom=1.0, turn=0.0)
    if samples.metal_sampler:
        return samples.choose_in_mm(draw, view, view)
    metal = samples.shapes.choose(draw, samples.cohort.hu[slice] > -300)
    protocol = PROTOCOLS[samples.config.protocol]
    return Choice(view, view, metal, samples.config.metals[0], protocol)


def protocol(scan: Scan, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, truth and corrupted image, as `adn_protocol` takes them."""
    assert scan.clean is not None
    return output, scan.clean, scan.image


def mean(found: list[Mapping[str, Tensor]] | list[dict[str, Tensor]]) -> dict[str, float]:
    """One number per metric, over all slices of all batches."""
    return {name: float(torch.cat([f[name] for f in found]).mean()) for name in found[0]}


def headline(found: Mapping[str, float]) -> str:
    """A validation in a line: with a known truth, or without (`training/validation.py`)."""
    if "psnr" in found:
        return f"{found['psnr']:.2f} dB, SSIM {found['ssim']:.3f}"
    return f"{found['near']:.1f} HU uneven near metal, {found['far']:.1f} HU changed far from it"


NEAR_MM = (5.0, 40.0)
"""Distances from metal between which streaks are counted: closer, metal itself is blurred, and
farther than the second is far. The bands of docs/results.md end there, too."""


TISSUE_HU = (-300.0, 300.0)
"""Values are clipped to these before their spread is taken, of which bone would make most."""


MOST = 48
"""Slices, evenly over all there are: each costs a pass of the network."""


BATCH = 8


class WithoutTruth:
    """The same affected slices of withheld patients every time."""

    def __init__(self, cohort: Prepared, config: Config, device: torch.device) -> None:
        found = cohort.having("affected", VALIDATION)
        places = np.linspace(0, len(found) - 1, min(MOST, len(found))).round().astype(int)
        chosen = [unpaired.View(int(index), flip=False) for index in found[places]]
        images = shown(cohort, chosen, config.coarser).image
        pixels = [float(cohort.pixel[view.slice]) * config.coarser for view in chosen]
        bands = [
            regions(mu_to_hu(one[0]).numpy(), mm) for one, mm in zip(images, pixels, strict=True)
        ]
        self.near = torch.from_numpy(np.stack([near for near, _ in bands]))[:, None].to(device)
        self.far = torch.from_numpy(np.stack([far for _, far in bands]))[:, None].to(device)
        self.images = images.to(device)
        self.before = self._measured(self.images)

    @torch.no_grad()
    def __call__(self, method: Method) -> dict[str, float]:
        """`near` and `far` in HU, see `_measured`."""
        method.eval()
        result = torch.cat([method.reduce(scan) for scan in self._scans()])
        method.train()
        return self._measured(result)

    @torch.no_grad()
    def pictures(self, method: Method, count: int = 6) -> list[Tensor]:
        """Input, output and what was taken away (grey is nothing) of the first slices,
        `[count 1 H W]` in [0, 1] each."""
        method.eval()
        image = self.images[:count]
        result = method.reduce(Scan(image))
        method.train()
        taken = (image.clip(*WINDOW) - result) / (WINDOW[1] - WINDOW[0]) + 0.5
        return [mu_to_unit(image), mu_to_unit(result), taken.clip(0, 1)]

    def _scans(self) -> Iterator[Scan]:
        return (Scan(some) for some in self.images.split(BATCH))

    def _measured(self, result: Tensor) -> dict[str, float]:
        """Of a result `[N 1 H W]` in 1/cm: the mean spread in HU near metal, and the mean amount
        of change in HU far from it; slices without such pixels do not count."""
        hu = mu_to_hu(result.clip(*WINDOW))
        change = (hu - mu_to_hu(self.images.clip(*WINDOW))).abs()
        spread = [one[m].std() for one, m in zip(hu.clip(*TISSUE_HU), self.near, strict=True)]
        moved = [one[m].mean() for one, m in zip(change, self.far, strict=True)]
        return {"near": _mean(spread), "far": _mean(moved)}


def regions(hu: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """bool `[H W]` each: the body near the metal of a slice, HU `[H W]`, and far from it."""
    metal = metal_mask(hu, pixel)
    body = body_mask(hu, pixel)
    if not metal.any():
        return np.zeros_like(body), body
    closest, farthest = NEAR_MM
    distance = ndimage.distance_transform_edt(~metal) * pixel
    far = distance > farthest
    return body & ~far & (distance >= closest), body & far


def _mean(values: list[Tensor]) -> float:
    """Without what is not a number; 0 where nothing is left."""
    known = [float(value) for value in values if torch.isfinite(value)]
    return float(np.mean(known)) if known else 0.0
