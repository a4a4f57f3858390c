"""Unpaired training samples of a prepared cohort: an affected and a clean slice.

Sample `i` of a seed is always the same, as in `unmetal.cohorts.samples`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unmetal.cohorts.cohort import SliceTransform, sampling_weights
from unmetal.cohorts.prepared import Prepared
from unmetal.physics.derive import downsample
from unmetal.scan import Scan
from unmetal.units import hu_to_mu


@dataclass(frozen=True)
class Config:
    """How samples are drawn."""

    flip: bool = True
    """Mirror left and right with a probability of a half, affected and clean slice independently,
    as the released code does with SpineWeb."""

    downsample: int = 1
    """Average over blocks of this many pixels squared: 2 is a fourth of the work."""

    by_patient: bool = True
    """Weight a patient by the square root of the number of his slices. The paper draws all slices
    alike; of a small archive one patient would then be half of all samples."""


class Unpaired:
    """An endless sequence of samples from the training slices.

    The networks' window, 0 to 0.5/cm, ends at 1604 HU; the released code clips SpineWeb to -1000 to
    2000 HU instead. Ours is the same for all experiments, so that weights of one can be tested on
    the data of another; metal and enamel are clipped 400 HU lower.
    """

    def __init__(
        self, cohort: Prepared, config: Config, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.cohort, self.config, self.seed = cohort, config, seed
        self.device = torch.device(device)
        self.slices = {}
        for kind in ("affected", "clean"):
            slices = cohort.slices_of(kind)
            weights = sampling_weights(cohort.patient[slices], config.by_patient)
            self.slices[kind] = slices, weights

    def choose(self, index: int) -> tuple[SliceTransform, SliceTransform]:
        """Everything random about sample `index`: the affected slice and the clean one."""
        rng = np.random.default_rng([self.seed, index])
        return self._transform(rng, "affected"), self._transform(rng, "clean")

    def _transform(self, rng: np.random.Generator, kind: str) -> SliceTransform:
        slices, weights = self.slices[kind]
        chosen = int(rng.choice(slices, p=weights))
        return SliceTransform(chosen, bool(rng.random() < 0.5) and self.config.flip)

    def __call__(self, first: int, count: int) -> Scan:
        """Samples `first` to `first + count`: `image` and `other`, `[count 1 H W]` in 1/cm."""
        pairs = [self.choose(index) for index in range(first, first + count)]
        affected = render(self.cohort, [one for one, _ in pairs], self.config.downsample)
        clean = render(self.cohort, [other for _, other in pairs], self.config.downsample)
        return Scan(image=affected.image.to(self.device), other=clean.image.to(self.device))


def render(cohort: Prepared, transforms: Sequence[SliceTransform], factor: int = 1) -> Scan:
    """Slices, flipped where chosen, averaged over blocks of `factor` x `factor` pixels: `image`,
    `[n 1 H W]` in 1/cm."""
    slices = [cohort.slice(one.slice)[:, :: -1 if one.flip else 1] for one in transforms]
    hu = torch.from_numpy(np.stack(slices).astype(np.float32))[:, None]
    return downsample(Scan(hu_to_mu(hu.clamp_min(-1000))), factor)
