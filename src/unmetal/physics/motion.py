"""Patient motion during a turn of the gantry."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Geometry, angles, offsets


@dataclass(frozen=True)
class Motion:
    """Sinusoidal shift of the whole slice along one direction: a model of breathing or tremor."""

    amplitude: float
    """cm."""
    direction: float
    """Radians from the x axis."""
    cycles: float
    """Periods in a turn. Where they are not whole, the last view does not fit the first."""
    phase: float
    """Radians, at the first view."""

    def __call__(self, lengths: Tensor, geometry: Geometry) -> Tensor:
        """Line integrals `[B M V D]` of the slice as it moves, any unit.

        A shift of the slice moves each parallel view along the detector by its component across
        the rays. In a fan that holds for the central ray, with the magnification at the axis; off
        it the error is of second order in the fan's angle.
        """
        # Position along the direction at each view, cm `[V]`.
        beta = angles(geometry)
        away = self.amplitude * torch.sin(
            2 * math.pi * self.cycles * beta / geometry.span + self.phase
        )
        # Its component across the central ray of view beta, in bins at the axis `[V]`.
        bins = away * torch.cos(beta - self.direction) / geometry.pitch_at_axis
        return shift_views(lengths, bins)


def shift_views(views: Tensor, bins: Tensor) -> Tensor:
    """`[B M V D]` with view v moved by `bins[v]` bins towards higher ones, linearly interpolated;
    beyond the detector there is nothing."""
    count = views.shape[-1]
    middle = (count - 1) / 2
    # Bin i of the moved view is the old one at i - shift, `[V D]`; linearly interpolated.
    place = offsets(count, 1.0) + middle - bins[:, None]
    low = place.floor()
    part = (place - low).to(views)

    def at(index: Tensor) -> Tensor:
        there = ((index >= 0) & (index < count)).to(views)
        index = index.clamp(0, count - 1).long().to(views.device)
        return views.gather(-1, index.expand_as(views)) * there

    return at(low) * (1 - part) + at(low + 1) * part
