"""How a method does on clinical slices while it is trained, where nobody knows the truth.

Two numbers, which mean something only beside each other: how much it changes far from metal, where
nothing was wrong, and how uneven soft tissue near metal is left. A network that does nothing
scores 0 by the first, one that blurs everything scores well by the second.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from unmetal.data.prepared import Prepared
from unmetal.data.splits import VALIDATION
from unmetal.data.unpaired import Config, View, shown
from unmetal.methods.method import Method
from unmetal.physics.derive import body_mask, metal_mask
from unmetal.scan import Scan
from unmetal.units import WINDOW, mu_to_hu, mu_to_unit

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
        chosen = [View(int(index), flip=False) for index in found[places]]
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
