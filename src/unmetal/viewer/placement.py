"""Where the voxels of a series lie: from the planes of its slices to an affine in RAS+."""

from __future__ import annotations

import numpy as np

from unmetal.files.slice_planes import SlicePlanes, planes_of
from unmetal.scan import Volume
from unmetal.viewer.records import LPS_TO_RAS, Affine, Grid


def grid_of(volume: Volume) -> Grid:
    """The grid of a volume in RAS+."""
    shape = volume.hu.shape
    known = volume.spacing_known
    return grid_from(shape, volume.spacing, planes_of(volume), spacing_known=known)


def grid_from(
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    planes: SlicePlanes | None,
    *,
    spacing_known: bool,
) -> Grid:
    """The grid of planes; without any, of axial slices of a patient on the back.

    A tilted gantry shears it. Slices that are missing, of which its warnings tell, make it shorter:
    every slice is at the usual distance from the last one.
    """
    affine = np.diag([*spacing[::-1], 1.0])
    if planes is not None:
        last = len(planes.positions) - 1
        across = planes.normal * spacing[0]
        if last > 0:
            whole = planes.positions[last] - planes.positions[0]
            across = whole * (spacing[0] / (whole @ planes.normal))
        affine[:3, 0] = planes.row * spacing[2]
        affine[:3, 1] = planes.column * spacing[1]
        affine[:3, 2] = across
        affine[:3, 3] = planes.positions[0]
    ras: Affine = tuple(tuple(map(float, line)) for line in LPS_TO_RAS @ affine)
    return Grid(shape, spacing, ras, spacing_known, planes is not None)  # type: ignore[arg-type]
