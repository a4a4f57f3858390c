"""A stack of slices on a grid in space: what NIfTI, MetaImage and NRRD files hold.

Slices are the third image axis (k), which is axis 0 of the array. Geometry is in LPS millimeters.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unmetal.errors import InputError
from unmetal.files.derivation import Derivation
from unmetal.files.formats import SUFFIXES
from unmetal.files.hounsfield import read_back, to_hu, to_stored
from unmetal.scan import Volume

MARK = "made by unmetal: "
"""How the note in the header of a result begins."""

log = logging.getLogger("unmetal")


@dataclass(frozen=True, eq=False)
class Grid:
    """The source record of NIfTI, MetaImage and NRRD."""

    stored: np.ndarray
    """`[slices H W]`, or `[H W]` of a 2-D image, in the file's own number type."""

    spacing: tuple[float, ...]
    """mm along (i, j, k): column, row, slice."""

    origin: tuple[float, ...]
    """Center of the first voxel, mm, LPS."""

    direction: tuple[float, ...]
    """Direction cosines of the image axes, the matrix row by row, LPS."""

    slope: float = 1.0
    intercept: float = 0.0
    """HU = slope * stored + intercept."""

    note: str = ""
    """The header's free text."""

    header: Any = None
    """The header itself, as the module of the format knows it."""

    compressed: bool = False
    """Whether the file's data were compressed."""

    suffix: str = ".nii.gz"
    """The format, for an output whose name does not say."""

    @property
    def format(self) -> str:
        """The module of `unmetal.files` that read it."""
        return SUFFIXES[self.suffix]

    @property
    def hu(self) -> np.ndarray:
        """float32 `[slices H W]`."""
        hu = to_hu(self.stored, self.slope, self.intercept)
        return hu.reshape(-1, *self.stored.shape[-2:])

    def read_back(self, hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `unmetal.files.as_stored`."""
        stored, scale = self.stored.reshape(hu.shape), (None, self.slope, self.intercept)
        both = [read_back(one, old, *scale) for one, old in zip(hu, stored, strict=True)]
        return np.stack([back for back, _ in both]), np.array([clipped for _, clipped in both])


def require_numbers(path: Path, kind: str, axes: int, *, labels: bool = False) -> None:
    """Raise InputError for what is not a stack of slices with one 16-bit or wider real number per
    voxel; for labels, which mark parts of an image, any width will do.

    kind: the number type, as NumPy or ITK calls it.
    """
    if axes not in {2, 3}:
        raise InputError(f"{path}: has {axes} axes: give a 3-D image")
    if kind.startswith(("complex", "vector", "void")):
        raise InputError(f"{path}: holds colours or vectors ({kind}): give one HU per voxel")
    if labels:
        return
    if "8-bit" in kind or kind in {"int8", "uint8"}:
        raise InputError(f"{path}: holds numbers of 8 bits ({kind}): give HU in 16 bits or more")


def to_volume(grid: Grid) -> Volume:
    """The volume that a file's grid holds."""
    column, row, apart = (*grid.spacing, 1.0)[:3]
    warnings = _not_axial(grid)
    return Volume(
        hu=grid.hu,
        spacing=(apart, row, column),
        source=grid,
        meta={
            "format": grid.suffix.lstrip("."),
            "stored_as": str(grid.stored.dtype),
            "warnings": warnings,
            "axial": not warnings,
            "made_by_unmetal": grid.note.startswith(MARK),
        },
    )


def to_grid(volume: Volume, derivation: Derivation, path: Path) -> Grid:
    """The grid of `volume.source` with the volume's values, and who made it in front of the note.

    path: the output, for the log.
    """
    grid = volume.source or _in_memory(volume)
    hu = volume.hu.reshape(grid.stored.shape)
    stored, clipped = to_stored(hu, grid.stored, None, grid.slope, grid.intercept)
    if clipped:
        log.warning("%s: %d values do not fit %s and were clipped", path, clipped, stored.dtype)
    return _signed(replace(grid, stored=stored), derivation)


def to_mask_grid(volume: Volume, mask: np.ndarray, derivation: Derivation) -> Grid:
    """The same grid with 1 where `mask`, bool `[slices H W]`, is True, else 0; 8 bits, compressed
    where the format can."""
    grid = volume.source or _in_memory(volume)
    stored = mask.astype(np.uint8).reshape(grid.stored.shape)
    grid = replace(grid, stored=stored, slope=1.0, intercept=0.0, compressed=True)
    return _signed(grid, derivation)


def zero_difference(grid: Grid) -> Grid:
    """The source record of a difference of 0 HU: signed, as wide as its values need, with the
    slope of the source and no intercept, so that source + difference is the result as stored."""
    kind = grid.stored.dtype
    if kind.kind in "iu":
        kind = np.dtype(np.int16 if kind.itemsize <= 2 else np.int32)
    return replace(grid, stored=np.zeros(grid.stored.shape, kind), intercept=0.0)


def _signed(grid: Grid, derivation: Derivation) -> Grid:
    """NIfTI has room for 79 characters of text."""
    begin = MARK if derivation.reduced else "simulated by unmetal: "
    note = f"{begin}{derivation.method[:24]}, research only; {grid.note}"
    return replace(grid, note=note[:79].rstrip("; "))


def _in_memory(volume: Volume) -> Grid:
    """The grid of a volume that came from no file: float32, axes along the patient's."""
    # NaN equals nothing, so that `to_stored` takes every value from the volume.
    unset = np.full(volume.hu.shape, np.nan, np.float32)
    return Grid(unset, volume.spacing[::-1], (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def _not_axial(grid: Grid) -> list[str]:
    """A warning where the slices are not axial: streaks run within axial slices only."""
    along = [abs(cosine) for cosine in grid.direction[2::3]]
    if len(along) < 3 or along[2] == max(along):
        return []
    plane = ("sagittal", "coronal")[along.index(max(along))]
    return [f"slices are {plane}, but artifacts lie in axial ones: re-orient the image first"]
