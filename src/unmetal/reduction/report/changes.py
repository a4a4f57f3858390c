"""What a reduction changed: sums by tissue and distance from metal, by slice and of the series.

Only slices with metal count: no other one is changed, and in no other one is there a distance from
metal.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import reduce as folded
from operator import add

import numpy as np
from scipy import ndimage

from unmetal.metrics.strata import BANDS, TISSUES, band_of, tissue_of
from unmetal.physics.derive import body_mask, metal_mask
from unmetal.reduction.metal_objects import MetalObject
from unmetal.reduction.reduce_volume import Reduced
from unmetal.scan import AIR_HU, Volume
from unmetal.units import METAL_HU

SKIN_MM = 5.0
"""Tolerance of the body's edge, mm: found again in the result it may lie a little elsewhere."""

DOUBTFUL_HU = 120.0
"""Expected error, HU, above which at least half of the pixels are wrong by more than 50 HU
(docs/priornet.md has the curve)."""

DENSE_HU = 650.0
"""HU of what is denser than most bone; no soft tissue falls by so much."""

LEVELS = ("fat", "soft tissue")
"""Tissues whose HU are known and the same all over a body."""

VISIBLE_HU = 30.0
"""Change that is seen in a soft-tissue window, and from which the report's pictures colour it."""

SMOOTH_MM = 2.0
"""Sigma, mm, of the smoothing that takes noise off before a voxel's tissue is told."""

CELLS = (len(TISSUES), len(BANDS))
"""Shape of the sums: tissue by band."""

JOIN = {"fall": np.minimum, "rise": np.maximum}
"""How to join two numbers of these fields of `ChangeStats`; all others are added."""


@dataclass(frozen=True)
class ChangeStats:
    """Sums over voxels of the body, metal left out, which add up over slices.

    The tissue of a voxel goes by its HU in the source, but in `transitions` and `levels`.
    """

    voxels: np.ndarray
    """int `[tissue band]`: all of them."""
    changed: np.ndarray
    """int `[tissue band]`: voxels that have another value than before."""
    visible: np.ndarray
    """int `[tissue band]`: voxels that changed by more than `VISIBLE_HU`."""
    total: np.ndarray
    """float `[tissue band]`, HU: sum of the changes."""
    absolute: np.ndarray
    """float `[tissue band]`, HU: sum of their amounts."""
    fall: np.ndarray
    """float `[tissue band]`, HU: the largest fall, 0 or less."""
    rise: np.ndarray
    """float `[tissue band]`, HU: the largest rise, 0 or more."""
    disagreement: np.ndarray
    """float `[tissue band]`, HU: sum of the disagreement."""
    transitions: np.ndarray
    """int `[tissue before, tissue after]`: voxels, by their HU before and after."""
    levels: np.ndarray
    """float `[LEVELS band 5]`: voxels inside homogeneous tissue of the result, sum and sum of
    squares of their HU before, sum and sum of squares of their HU after."""

    def __add__(self, other: ChangeStats) -> ChangeStats:
        """The statistics of both together."""
        names = [field.name for field in fields(self)]
        pairs = {name: np.stack([getattr(self, name), getattr(other, name)]) for name in names}
        return ChangeStats(**{name: join(both, name) for name, both in pairs.items()})

    def by_tissue(self, name: str) -> np.ndarray:
        """The field `name` for each of `TISSUES`, all bands together."""
        return join(getattr(self, name), name, axis=1)

    def by_band(self, name: str) -> np.ndarray:
        """The field `name` for each of `BANDS`, all tissues together."""
        return join(getattr(self, name), name, axis=0)


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
    disagreement_p99: float
    """HU: the 99th percentile of the disagreement in the body; 0 where there is none."""
    body: np.ndarray
    """bool `[H W]`: the patient in the result."""
    stats: ChangeStats
    doubtful: int = 0
    """Voxels of the body whose expected error exceeds `DOUBTFUL_HU`."""
    dense_lost: int = 0
    """Voxels outside of metal above `DENSE_HU` that fell by more than that: a bright streak, or a
    part of the body or of an implant."""


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
    """Whether the mirrored slices were reduced, too, and compared."""
    error_expected: bool = False
    """Whether the method says how wrong it may be."""
    objects: tuple[MetalObject, ...] = ()
    """What is dense enough for metal, with what was decided; empty where the metal was given."""
    left_alone: tuple[int, int] = (0, 0)
    """Voxels of objects that were left alone, and how many of these changed: none should."""
    metal_given: bool = False
    """The metal was given, not found: no rule can find it again."""

    @property
    def dense_lost(self) -> int:
        """Voxels outside of metal above `DENSE_HU` that fell by more than that."""
        return sum(one.dense_lost for one in self.slices)

    @property
    def stats(self) -> ChangeStats:
        """The statistics of all slices together."""
        none = np.zeros((1, 1))
        empty = change_stats(none, none, none > 0, none > 0, 1.0)
        return folded(add, (one.stats for one in self.slices), empty)


def changes(reduced: Reduced, threshold: float = METAL_HU, *, metal_given: bool = False) -> Changes:
    """The changes of a reduced series; `threshold` (HU) is what metal was found with, unless it was
    given."""
    before, after = reduced.source.hu, reduced.volume.hu
    without = np.flatnonzero(~reduced.metal.any((1, 2)))
    alone = np.zeros_like(reduced.metal) if reduced.left_alone is None else reduced.left_alone
    return Changes(
        slices=tuple(_slice(reduced, int(index), threshold) for index in reduced.affected),
        count=len(before),
        voxel_ml=reduced.source.voxel_ml,
        elsewhere=sum(int((after[index] != before[index]).sum()) for index in without),
        compared=reduced.disagreement is not None,
        error_expected=reduced.expected_error is not None,
        objects=reduced.objects,
        metal_given=metal_given,
        left_alone=(int(alone.sum()), int((alone & (after != before)).sum())),
    )


def _slice(reduced: Reduced, index: int, threshold: float) -> SliceChanges:
    """The changes of the slice at `index`, which has metal."""
    pixel = reduced.source.square_pixel
    metal, padding = reduced.metal[index], padding_of(reduced.source, index)
    before, after = in_air(reduced.source, index), in_air(reduced.volume, index)
    apart = None if reduced.disagreement is None else reduced.disagreement[index]
    expected = None if reduced.expected_error is None else reduced.expected_error[index]
    changed = reduced.volume.hu[index] != reduced.source.hu[index]
    # As in the reduction: the patient with or without streaks, which can cut him open.
    body = body_mask(after, pixel)
    inside = reduced.bodies[index] | body
    beyond = ndimage.distance_transform_edt(~inside) * pixel > SKIN_MM
    # With every voxel that changed, wherever it lies, so that the sums miss none.
    counted = (inside | changed) & ~metal
    return SliceChanges(
        index=index,
        metal=int(metal.sum()),
        kept=int((metal & ~changed).sum()),
        found_again=int(metal_mask(after, pixel, threshold, body).sum()),
        outside=int((changed & (beyond | padding)).sum()),
        clipped=int(reduced.clipped[index]),
        disagreement_p99=0.0 if apart is None else float(np.percentile(apart[counted], 99)),
        body=body,
        stats=change_stats(before, after, metal, counted, pixel, apart),
        doubtful=0 if expected is None else int((expected > DOUBTFUL_HU)[counted].sum()),
        dense_lost=int(((before - after > DENSE_HU) & (before > DENSE_HU) & ~metal).sum()),
    )


def join(values: np.ndarray, name: str, axis: int = 0) -> np.ndarray:
    """Values of the field `name` along an axis as one: their sum, of extremes the extreme."""
    joined: np.ndarray = JOIN.get(name, np.add).reduce(values, axis=axis)
    return joined


def change_stats(
    before: np.ndarray,
    after: np.ndarray,
    metal: np.ndarray,
    counted: np.ndarray,
    pixel: float,
    disagreement: np.ndarray | None = None,
) -> ChangeStats:
    """Sums over the voxels of a slice that are `counted`.

    before, after: HU `[H W]`. metal, counted: bool `[H W]`, without a common voxel. pixel: mm.
    disagreement: HU `[H W]`.
    """
    # Every counted voxel falls into one cell: its tissue before, and its distance from metal.
    bands = band_of(metal, pixel)
    old, new = (tissue_of(hu[counted]) for hu in (before, after))
    change = (after - before)[counted].astype(np.float64)
    cell = old * len(BANDS) + bands[counted]

    # Flat cells -> [tissue band].
    def summed(weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(cell, weights, minlength=CELLS[0] * CELLS[1]).reshape(CELLS)

    # `at`, because several voxels share a cell: fancy indexing would keep the last of them.
    fall, rise = np.zeros(CELLS), np.zeros(CELLS)
    np.minimum.at(fall.reshape(-1), cell, change)
    np.maximum.at(rise.reshape(-1), cell, change)
    both = np.bincount(old * len(TISSUES) + new, minlength=len(TISSUES) ** 2)
    return ChangeStats(
        voxels=summed(),
        changed=summed(change != 0).astype(int),
        visible=summed(np.abs(change) > VISIBLE_HU).astype(int),
        total=summed(change),
        absolute=summed(np.abs(change)),
        fall=fall,
        rise=rise,
        disagreement=np.zeros(CELLS) if disagreement is None else summed(disagreement[counted]),
        transitions=both.reshape(len(TISSUES), len(TISSUES)),
        levels=_levels(before, after, counted, bands, pixel),
    )


def _levels(
    before: np.ndarray, after: np.ndarray, counted: np.ndarray, bands: np.ndarray, pixel: float
) -> np.ndarray:
    """`ChangeStats.levels` of a slice."""
    # The same voxels before and after: those that the result, smoothed, shows as one tissue, and a
    # voxel away from any other, so that noise moves none of them in or out.
    smooth = ndimage.gaussian_filter(after, SMOOTH_MM / pixel)
    tissue = tissue_of(smooth)
    result = np.zeros((len(LEVELS), len(BANDS), 5))
    for place, name in enumerate(LEVELS):
        inner = ndimage.binary_erosion(tissue == TISSUES.index(name)) & counted
        one, two = (hu[inner].astype(np.float64) for hu in (before, after))
        # Sums and sums of squares add up over slices; means and deviations do not.
        for row, its in enumerate((np.ones_like(one), one, one**2, two, two**2)):
            result[place, :, row] = np.bincount(bands[inner], its, minlength=len(BANDS))
    return result


def padding_of(volume: Volume, index: int) -> np.ndarray:
    """bool `[H W]`: where the scanner saw nothing in one slice."""
    return np.zeros(volume.hu.shape[1:], bool) if volume.padding is None else volume.padding[index]


def in_air(volume: Volume, index: int) -> np.ndarray:
    """HU `[H W]` of one slice with air where the scanner saw nothing."""
    return np.where(padding_of(volume, index), np.float32(AIR_HU), volume.hu[index])
