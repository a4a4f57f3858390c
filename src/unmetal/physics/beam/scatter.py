"""Scatter that depends on the object, and its imperfect correction."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scatter:
    """Scatter as a convolution of what each ray can scatter, and what a correction leaves of it.

    A ray with the line integral p scatters in proportion to p exp(-p): to what it meets, and to
    what is left to scatter. Source: Ohnesorge, Flohr and Klingenbeck-Regn, Eur. Radiol. 9 (1999),
    who convolve it with a broad kernel; here a Gaussian along the detector, view by view.
    """

    amount: float
    """Scatter over primary of one ray, all of whose scatter would come back to it, times exp(-p)
    p; docs/physics.md has what that makes behind 32 cm of water."""
    width: float
    """Standard deviation of the Gaussian, as a share of the detector's length."""
    corrected: float = 0.0
    """Share of it that the scanner takes out again."""

    def __call__(self, integrals: Tensor) -> Tensor:
        """Scatter that reaches each bin, as a share of the photons without an object.

        integrals: what the primary beam alone measures, `[B 1 V D]`; the result has its shape.
        """
        place = torch.arange(integrals.shape[-1], device=integrals.device)
        deviation = self.width * len(place)
        # A dense matrix product is an eighth of the cost of torch's convolution (90 of 200 ms).
        apart = (place[:, None] - place) / deviation
        spread = torch.exp(-(apart**2) / 2) / (deviation * math.sqrt(2 * math.pi))
        # Where nothing comes through a line integral is infinite; 80 is as good, and no NaN.
        some = integrals.clamp(0, 80)
        source = some * torch.exp(-some)
        return self.amount * (source @ spread.to(integrals))
