"""Unpaired samples of a prepared cohort: an affected slice and a clean one of another patient.

Sample `i` of a seed is always the same, as in `unmetal.cohorts.samples`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from unmetal.cohorts.prepared import Prepared
from unmetal.physics.derive import coarser
from unmetal.scan import Scan
from unmetal.units import hu_to_mu


@dataclass(frozen=True)
class Config:
    """What is drawn for each sample."""

    flip: bool = True
    """Mirror left and right with a probability of a half, affected and clean slice each for
    itself, as the released code does with SpineWeb."""

    coarser: int = 1
    """Blocks of this many pixels squared are averaged: 2 is a fourth of the work."""

    by_patient: bool = True
    """Draw the patient first, by the square root of how many slices there are. The paper draws
    all slices alike; of a small archive one patient would then be half of all samples."""


@dataclass(frozen=True)
class View:
    """A slice, and whether it is mirrored."""

    slice: int
    flip: bool


class Unpaired:
    """An endless row of samples from the slices that are trained on.

    The networks' window, 0 to 0.5/cm, ends at 1604 HU; the released code cuts SpineWeb to -1000 to
    2000 HU instead. Ours is the same for all experiments, so that weights of one can be tested on
    the data of another; of metal and enamel 400 HU less are seen.
    """

    def __init__(
        self, cohort: Prepared, config: Config, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.cohort, self.config, self.seed = cohort, config, seed
        self.device = torch.device(device)
        self.odds = {kind: self._odds(kind) for kind in ("affected", "clean")}

    def _odds(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        """The slices of a kind and how likely each is."""
        slices = self.cohort.having(kind)
        _, which, count = np.unique(
            self.cohort.patient[slices], return_inverse=True, return_counts=True
        )
        odds = count[which] ** (-0.5 if self.config.by_patient else 0.0)
        return slices, odds / odds.sum()

    def choose(self, index: int) -> tuple[View, View]:
        """Everything random about sample `index`: the affected slice and the clean one."""
        draw = np.random.default_rng([self.seed, index])
        return self._view(draw, "affected"), self._view(draw, "clean")

    def _view(self, draw: np.random.Generator, kind: str) -> View:
        slices, odds = self.odds[kind]
        place = int(draw.choice(slices, p=odds))
        return View(place, bool(draw.random() < 0.5) and self.config.flip)

    def __call__(self, first: int, count: int) -> Scan:
        """Samples `first` to `first + count`: `image` and `other`, `[count 1 H W]` in 1/cm."""
        pairs = [self.choose(index) for index in range(first, first + count)]
        affected = shown(self.cohort, [one for one, _ in pairs], self.config.coarser)
        clean = shown(self.cohort, [other for _, other in pairs], self.config.coarser)
        return Scan(image=affected.image.to(self.device), other=clean.image.to(self.device))


def shown(cohort: Prepared, views: Sequence[View], factor: int = 1) -> Scan:
    """Slices as chosen, with blocks of `factor` x `factor` pixels averaged: `image`,
    `[n 1 H W]` in 1/cm."""
    slices = [cohort.slice(view.slice)[:, :: -1 if view.flip else 1] for view in views]
    hu = torch.from_numpy(np.stack(slices).astype(np.float32))[:, None]
    return coarser(Scan(hu_to_mu(hu.clamp_min(-1000))), factor)
