"""Where the slices of a series lie in the patient, and masks put there: LPS coordinates in mm.

Source: DICOM PS3.3 section C.7.6.2.1.1 (Image Plane module).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unmetal.errors import InputError
from unmetal.files.formats import GRIDS
from unmetal.scan import Volume

TOLERANCE = 0.1
"""Voxels that a mask may lie beside the series' voxels: programs round coordinates, while the usual
mistake, corners of voxels taken for their centers, is half a voxel."""

STEP_TOLERANCE = 0.01
"""Voxels by which a step to the next voxel may differ; over an image it adds up to more than
`TOLERANCE` allows."""


@dataclass(frozen=True)
class SlicePlanes:
    """Planes of parallel slices, each with a position of its own, however far apart."""

    positions: np.ndarray
    """float `[slices 3]`: center of the first pixel of each slice, mm."""

    row: np.ndarray
    """float `[3]`: unit vector along a row, in which the column number grows."""

    column: np.ndarray
    """float `[3]`: unit vector along a column, in which the row number grows."""

    spacing: tuple[float, float, float]
    """mm between slices, rows and columns."""

    @property
    def normal(self) -> np.ndarray:
        """float `[3]`: unit vector across the slices."""
        return np.cross(self.row, self.column)

    def to_patient(self, place: int, pixels: np.ndarray) -> np.ndarray:
        """Coordinates `[n 3]` of pixels `[n 2]` (row, column; fractions, too) of a slice."""
        _, between_rows, between_columns = self.spacing
        down, along = pixels[:, :1] * between_rows, pixels[:, 1:] * between_columns
        return np.asarray(self.positions[place] + along * self.row + down * self.column)

    def to_pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where coordinates `[n 3]` lie: the nearest slice, int `[n]`; how far off its plane, in
        distances of slices, `[n]`; and row and column there, float `[n 2]`."""
        apart, between_rows, between_columns = self.spacing
        heights, own = self.positions @ self.normal, points @ self.normal
        # Of sorted heights the nearest one lies between two midpoints.
        order = np.argsort(heights)
        middles = (heights[order][1:] + heights[order][:-1]) / 2
        nearest = order[np.searchsorted(middles, own)]
        # Within the plane from that slice's own corner, for a tilted gantry shifts every slice.
        inside = points - self.positions[nearest]
        pixels = [inside @ self.column / between_rows, inside @ self.row / between_columns]
        return nearest, (own - heights[nearest]) / apart, np.stack(pixels, axis=1)

    def mask(self, points: np.ndarray, shape: tuple[int, ...], where: str) -> np.ndarray:
        """bool, of the shape `(slices, H, W)`: True at the voxels with centers `points` `[n 3]`.

        Raises `InputError` about `where` for a point between voxels, or outside of the series.
        """
        nearest, off, pixels = self.to_pixels(points)
        whole = np.rint(pixels).astype(int)
        outside = ((whole < 0) | (whole >= shape[1:])).any(1) | (np.abs(off) > 0.5)
        if outside.any():
            raise InputError(
                f"{where}: does not fit the series: {outside.sum()} of its {len(points)} voxels "
                "lie outside: give a mask of this series"
            )
        beside = max(np.abs(off).max(initial=0), np.abs(pixels - whole).max(initial=0))
        if beside > TOLERANCE:
            raise InputError(
                f"{where}: does not fit the series: lies {beside:.2g} voxels beside its voxels: "
                "give a mask on the grid of this series"
            )
        result = np.zeros(shape, bool)
        result[nearest, whole[:, 0], whole[:, 1]] = True
        return result

    def require_same_voxels(self, axes: np.ndarray, where: str) -> None:
        """Raise `InputError` about `where` unless each of the steps `[n 3]`, mm, leads to a next
        voxel of the series, along whichever axis and in whichever direction."""
        apart, between_rows, between_columns = self.spacing
        basis = [self.normal * apart, self.column * between_rows, self.row * between_columns]
        # Coordinates in mm -> numbers of voxels along each axis.
        steps = np.abs(axes @ np.linalg.inv(np.stack(basis)))
        one = np.rint(steps)
        if (np.abs(steps - one) > STEP_TOLERANCE).any() or (one.sum(axis=1) != 1).any():
            raise InputError(
                f"{where}: does not fit the series: its voxels have another size or orientation: "
                "give a mask on the grid of this series"
            )


def planes_of(volume: Volume) -> SlicePlanes | None:
    """Where the slices of a series lie; None where its format or its header does not say."""
    source = volume.source
    if source is None or source.format not in {*GRIDS, "dicom"}:
        return None
    if source.format in GRIDS:
        origin, axes = frame_of(source)
        apart = np.arange(len(volume.hu))[:, None] * volume.spacing[0]
        return SlicePlanes(origin + apart * axes[2], axes[0], axes[1], volume.spacing)
    headers = [one.header for one in source.slices]
    stated = ("ImagePositionPatient", "ImageOrientationPatient")
    if not all(header.get(keyword) for header in headers for keyword in stated):
        return None
    positions = np.array([header.ImagePositionPatient for header in headers], float)
    row, column = np.array(headers[0].ImageOrientationPatient, float).reshape(2, 3)
    return SlicePlanes(positions, row, column, volume.spacing)


def frame_of(grid: Any) -> tuple[np.ndarray, np.ndarray]:
    """Center of the first voxel, `[3]` mm, and unit vectors along i, j and k, `[3 3]`, of a
    `unmetal.files.grid.Grid`; a 2-D one lies at height 0."""
    count = len(grid.origin)
    origin, axes = np.zeros(3), np.eye(3)
    origin[:count] = grid.origin
    axes[:count, :count] = np.reshape(grid.direction, (count, count)).T
    return origin, axes
