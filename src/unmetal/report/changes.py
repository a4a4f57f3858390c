"""What a reduction changed: the numbers of a report, for each slice and for the series.

Only slices with metal count: no other one is changed, and in no other one is there a distance from
metal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce as folded
from operator import add

import numpy as np
from scipy import ndimage

from unmetal.engine.reduce import AIR_HU, Reduced, square_pixel
from unmetal.physics.derive import METAL_HU, body_mask, metal_mask
from unmetal.report.tally import Tally, empty, tally
from unmetal.scan import Volume

SKIN_MM = 5.0
"""How far the edge of a body may lie from where it is found again in the result, mm."""


@dataclass(frozen=True)
class SliceChanges:
    """One slice with metal."""

    index: int
    """From 0, in the order of the volume."""
    metal: int
    """Voxels of metal."""
    kept: int
    """Of these, voxels that hold the source's value."""
    found_again: int
    """Voxels that are metal when the same rule is applied to the result."""
    outside: int
    """Voxels in padding, or farther than `SKIN_MM` outside the body, that changed: none should."""
    clipped: int
    """Values cut to what the format stores."""
    doubtful: float
    """HU: the 99th percentile of the disagreement in the body; 0 where there is none."""
    tally: Tally


@dataclass(frozen=True)
class Changes:
    """A whole series."""

    slices: tuple[SliceChanges, ...]
    """Those with metal, in order."""
    count: int
    """All slices."""
    voxel_ml: float
    """Volume of a voxel, ml."""
    elsewhere: int
    """Voxels that changed in slices without metal: none should."""
    compared: bool
    """Whether there is a disagreement."""

    @property
    def tally(self) -> Tally:
        """Of all slices together."""
        return folded(add, (one.tally for one in self.slices), empty())


def changes(reduced: Reduced, threshold: float = METAL_HU) -> Changes:
    """The numbers of a reduced series; `threshold` (HU) is what metal was found with."""
    before, after = reduced.source.hu, reduced.volume.hu
    without = np.flatnonzero(~reduced.metal.any((1, 2)))
    return Changes(
        slices=tuple(_slice(reduced, int(index), threshold) for index in reduced.affected),
        count=len(before),
        voxel_ml=float(np.prod(reduced.source.spacing)) / 1000,
        elsewhere=sum(int((after[index] != before[index]).sum()) for index in without),
        compared=reduced.disagreement is not None,
    )


def _slice(reduced: Reduced, index: int, threshold: float) -> SliceChanges:
    """The numbers of the slice at `index`, which has metal."""
    pixel = square_pixel(reduced.source)
    metal, padding = reduced.metal[index], padding_of(reduced.source, index)
    before, after = in_air(reduced.source, index), in_air(reduced.volume, index)
    doubt = None if reduced.disagreement is None else reduced.disagreement[index]
    changed = reduced.volume.hu[index] != reduced.source.hu[index]
    # As in the reduction: the patient with or without streaks, which can cut him open.
    inside = body_mask(before, pixel) | body_mask(after, pixel)
    beyond = ndimage.distance_transform_edt(~inside) * pixel > SKIN_MM
    counted = (inside | changed) & ~metal
    return SliceChanges(
        index=index,
        metal=int(metal.sum()),
        kept=int((metal & ~changed).sum()),
        found_again=int(metal_mask(after, pixel, threshold).sum()),
        outside=int((changed & (beyond | padding)).sum()),
        clipped=int(reduced.clipped[index]),
        doubtful=0.0 if doubt is None else float(np.percentile(doubt[counted], 99)),
        tally=tally(before, after, metal, counted, pixel, doubt),
    )


def padding_of(volume: Volume, index: int) -> np.ndarray:
    """bool `[H W]`: where the scanner saw nothing in one slice."""
    if volume.padding is None:
        return np.zeros(volume.hu.shape[1:], bool)
    return volume.padding[index]


def in_air(volume: Volume, index: int) -> np.ndarray:
    """HU `[H W]` of one slice with air where the scanner saw nothing."""
    return np.where(padding_of(volume, index), np.float32(AIR_HU), volume.hu[index])
