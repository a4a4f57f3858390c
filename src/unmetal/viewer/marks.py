"""Marks of metal, uint8 `[H W]` of an axial slice, and what the page shows of them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

CORRECTED = 1
"""Of metal whose artifact was corrected."""

LEFT_ALONE = 2
"""Of what is dense and has no artifact."""

NEAR_MM = 5.0
"""Distance from metal within which a result is to be distrusted."""


def outline(marks: np.ndarray) -> np.ndarray:
    """uint8 `[H W]`: the pixels of each mark that touch one of another, side by side."""
    edge = np.zeros_like(marks)
    for value in np.unique(marks[marks > 0]):
        mask = marks == value
        edge[mask & ~ndimage.binary_erosion(mask)] = value
    return edge


def near_metal(marks: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """uint8 `[H W]`: 1 within `NEAR_MM` of corrected metal, in the plane, and not metal itself."""
    metal = marks == CORRECTED
    if not metal.any():
        return np.zeros_like(marks)
    distance = ndimage.distance_transform_edt(~metal, sampling=spacing)
    return ((distance <= NEAR_MM) & (marks == 0)).astype(np.uint8)
