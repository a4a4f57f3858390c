"""How good a method is while it is trained: slices of patients kept out of the training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from unmetal.cohorts.cohort import SliceTransform
from unmetal.cohorts.prepared import Prepared
from unmetal.cohorts.samples import BODY_HU, Samples, SampleSpec, collate
from unmetal.cohorts.splits import VALIDATION
from unmetal.cohorts.unpaired import Config, render
from unmetal.methods.method import Method
from unmetal.metrics.image_quality import adn_protocol
from unmetal.metrics.left import left_and_copy
from unmetal.physics.derive import body_mask, downsample, metal_mask
from unmetal.physics.protocol import PROTOCOLS
from unmetal.physics.simulate import Simulation
from unmetal.scan import Scan
from unmetal.units import WINDOW, mu_to_hu, mu_to_unit

NEAR_MM = (5.0, 40.0)
"""Distances from metal between which streaks are measured: closer, metal itself is blurred; beyond
the second is `far`, as in the bands of docs/results.md."""

TISSUE_HU = (-300.0, 300.0)
"""Values are clipped to these before their standard deviation is taken: bone would dominate it."""

MAX_SLICES = 48
"""Slices at most, evenly spaced: each costs a pass of the network."""

BATCH = 8
"""Slices in a pass."""


class PairedValidator:
    """The paper's metrics on validation slices with simulated metal: the same scans every time."""

    def __init__(self, samples: Samples) -> None:
        slices = samples.cohort.slices_of("validation")
        specs = [validation_spec(samples, index, int(slice)) for index, slice in enumerate(slices)]
        noise = torch.Generator(samples.device).manual_seed(20_011)
        self.scans: list[Scan] = []
        self.free: list[Scan] = []  # See `metal_free`.
        factor = samples.config.downsample
        for first in range(0, len(specs), BATCH):
            simulations = samples.simulate(specs[first : first + BATCH], noise)
            scans = collate([simulation.scan for simulation in simulations])
            self.scans.append(downsample(scans, factor))
            self.free.append(metal_free(simulations, factor))
        self.before = mean([adn_protocol(*protocol(scan, scan.image)) for scan in self.scans])

    def __call__(self, method: Method) -> dict[str, float]:
        """The paper's metrics, and `left` and `copy` (see `metrics.left`) of methods that need the
        image alone; means over all validation slices."""
        with evaluating(method):
            pairs = zip(self.scans, self.free, strict=True)
            return mean([measured(method, scan, free) for scan, free in pairs])

    def pictures(self, method: Method, count: int = 6) -> list[Tensor]:
        """Input, output and truth of the first slices, `[count 1 H W]` in [0, 1] each."""
        scan = self.scans[0]
        assert scan.clean is not None
        with evaluating(method):
            rows = [scan.image, method.reduce(scan), scan.clean]
        return [mu_to_unit(row[:count]) for row in rows]


def validation_spec(samples: Samples, index: int, slice: int) -> SampleSpec:
    """The spec of a validation slice: not augmented, with metal drawn for it alone."""
    rng = np.random.default_rng([20_011, index])
    plain = SliceTransform(slice)
    if samples.metal_sampler:
        return samples.choose_in_mm(rng, plain, plain)
    metal = samples.shapes.choose(rng, samples.cohort.hu[slice] > BODY_HU)
    protocol = PROTOCOLS[samples.config.protocol]
    return SampleSpec(plain, plain, metal, samples.config.metals[0], protocol)


def metal_free(simulations: Sequence[Simulation], factor: int) -> Scan:
    """Images of scans without metal and where the metal would be, `[B 1 H W]`, downsampled."""
    free = torch.cat([simulation.free_image for simulation in simulations])
    metals = [simulation.scan.metal for simulation in simulations]
    metal = torch.cat([one.float() for one in metals if one is not None])
    # A block counts as metal that has any in it.
    blocks = functional.max_pool2d(metal, factor) > 0
    return Scan(functional.avg_pool2d(free, factor), metal=blocks)


def measured(method: Method, scan: Scan, free: Scan) -> dict[str, Tensor]:
    """The metrics of a method on scans, `[B]` each; `free` is as `metal_free` returns it."""
    output = method.reduce(scan)
    metrics = adn_protocol(*protocol(scan, output))
    # Only for methods that need the image alone: the sinogram is that of the scan with metal.
    if method.inputs == {"image"}:
        assert free.metal is not None
        of_free = method.reduce(replace(scan, image=free.image))
        metrics |= left_and_copy(output, of_free, scan.image, free.image, free.metal)
    return metrics


def protocol(scan: Scan, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The arguments of `adn_protocol`: output, truth and corrupted image, `[B 1 H W]` in 1/cm."""
    assert scan.clean is not None
    return output, scan.clean, scan.image


def mean(found: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """One number per metric, over all slices of all batches."""
    return {name: float(torch.cat([f[name] for f in found]).mean()) for name in found[0]}


@contextmanager
def evaluating(method: Method) -> Iterator[None]:
    """Evaluation mode, without gradients; training mode afterwards."""
    method.eval()
    with torch.no_grad():
        yield
    method.train()


def headline(found: Mapping[str, float]) -> str:
    """One line of a `PairedValidator`'s or an `UnpairedValidator`'s metrics."""
    if "psnr" in found:
        line = f"{found['psnr']:.2f} dB, SSIM {found['ssim']:.3f}"
        if "left" in found:
            line += f", {found['left']:.2f} of the artifact left, copies at {found['copy']:.1f} dB"
        return line
    return f"{found['near']:.1f} HU uneven near metal, {found['far']:.1f} HU changed far from it"


class UnpairedValidator:
    """Residual streaks and far changes on affected slices of validation patients, without truth."""

    def __init__(self, cohort: Prepared, config: Config, device: torch.device) -> None:
        found = cohort.slices_of("affected", VALIDATION)
        places = np.linspace(0, len(found) - 1, min(MAX_SLICES, len(found))).round().astype(int)
        chosen = [SliceTransform(int(index)) for index in found[places]]
        images = render(cohort, chosen, config.downsample).image
        pixels = [float(cohort.pixel[one.slice]) * config.downsample for one in chosen]
        bands = [
            regions(mu_to_hu(one[0]).numpy(), mm) for one, mm in zip(images, pixels, strict=True)
        ]
        masks = torch.from_numpy(np.array(bands))[:, :, None].to(device)
        self.near, self.far = masks.unbind(1)  # bool [N 1 H W] each
        self.images = images.to(device)
        self.before = self._measured(self.images)

    def __call__(self, method: Method) -> dict[str, float]:
        """`near` and `far` in HU, see `_measured`."""
        with evaluating(method):
            batches = self.images.split(BATCH)
            return self._measured(torch.cat([method.reduce(Scan(image)) for image in batches]))

    def pictures(self, method: Method, count: int = 6) -> list[Tensor]:
        """Input, output and their difference (gray is 0) of the first slices, `[count 1 H W]` in
        [0, 1] each."""
        image = self.images[:count]
        with evaluating(method):
            result = method.reduce(Scan(image))
        # A difference of 0 is 0.5; one of half the window is black or white.
        taken = (image.clip(*WINDOW) - result) / (WINDOW[1] - WINDOW[0]) + 0.5
        return [mu_to_unit(image), mu_to_unit(result), taken.clip(0, 1)]

    def _measured(self, result: Tensor) -> dict[str, float]:
        """Of a result `[N 1 H W]` in 1/cm: `near`, the standard deviation in HU of tissue near
        metal, and `far`, the mean absolute change in HU far from it; means over slices."""
        # Both clipped to the networks' window, above which they cannot change anything.
        hu = mu_to_hu(result.clip(*WINDOW))
        change = (hu - mu_to_hu(self.images.clip(*WINDOW))).abs()
        spread = [one[m].std() for one, m in zip(hu.clip(*TISSUE_HU), self.near, strict=True)]
        moved = [one[m].mean() for one, m in zip(change, self.far, strict=True)]
        return {"near": _mean(spread), "far": _mean(moved)}


Validator = PairedValidator | UnpairedValidator
"""Measures a method on patients kept out of the training; `before` is the same of the input."""


def regions(hu: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """bool `[H W]` each: the body near the metal of a slice, HU `[H W]`, and far from it."""
    metal = metal_mask(hu, pixel)
    body = body_mask(hu, pixel)
    if not metal.any():
        return np.zeros_like(body), body
    closest, farthest = NEAR_MM
    # Distance in mm of each pixel from the nearest metal.
    distance = ndimage.distance_transform_edt(~metal) * pixel
    far = distance > farthest
    return body & ~far & (distance >= closest), body & far


def _mean(values: list[Tensor]) -> float:
    """The mean of finite values, which slices without such pixels do not have; 0 of none."""
    known = [float(value) for value in values if torch.isfinite(value)]
    return float(np.mean(known)) if known else 0.0
