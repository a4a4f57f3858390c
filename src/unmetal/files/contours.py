"""Outlines of a mask, and the mask that outlines enclose."""

from __future__ import annotations

import numpy as np
from contourpy import contour_generator


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Closed polygons around a mask and around its holes; bool `[H W]` -> float `[n 2]` each, row
    and column in pixels, the first point not repeated.

    They run midway between the centers of pixels inside and outside, so that `filled` gives the
    mask back exactly.
    """
    # A margin of one pixel closes the outlines of what touches the border.
    padded = np.pad(mask, 1).astype(np.float64)
    # (x, y) -> (row, column), the margin taken off.
    lines = contour_generator(z=padded).lines(0.5)
    return [np.asarray(line)[:-1, ::-1] - 1 for line in lines]


def filled(polygons: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """bool `[H W]`: pixels whose center lies within an odd number of the polygons, `[n 2]` each
    (row, column): one within another is a hole."""
    from matplotlib.path import Path  # noqa: PLC0415  (0.2 s that few need)

    result = np.zeros(shape, bool)
    for polygon in polygons:
        # Only pixels in the box around the polygon are asked for.
        low = np.maximum(np.floor(polygon.min(axis=0)), 0).astype(int)
        high = np.minimum(np.ceil(polygon.max(axis=0)) + 1, shape).astype(int)
        rows, columns = (np.arange(start, end) for start, end in zip(low, high, strict=True))
        pixels = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
        inside = Path(polygon).contains_points(pixels.reshape(-1, 2))
        result[low[0] : high[0], low[1] : high[1]] ^= inside.reshape(pixels.shape[:2])
    return result
