"""Stored numbers and HU: `hu = slope * stored + intercept`."""

from __future__ import annotations

import numpy as np


def to_hu(stored: np.ndarray, slope: float = 1.0, intercept: float = 0.0) -> np.ndarray:
    """float32 HU of stored numbers, any shape; computed in float64 so that writing is its inverse.

    What exceeds float32 becomes infinite, which readers refuse.
    """
    with np.errstate(over="ignore"):
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def to_stored(
    hu: np.ndarray,
    stored: np.ndarray,
    limits: tuple[int, int] | None = None,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> tuple[np.ndarray, int]:
    """Numbers to store, and how many of them had to be clipped.

    A pixel whose HU is still that of `stored` keeps its stored number; the others are rounded to
    the nearest one within `limits` (by default all that an integer type holds).

    Args:
        hu: float32, any shape.
        stored: what the source held, of the same shape.
        limits: lowest and highest number that the format can hold.
        slope, intercept: HU per stored number, and HU of the number 0.
    """
    changed = hu != to_hu(stored, slope, intercept)
    exact = (hu[changed].astype(np.float64) - intercept) / slope
    result = stored.copy()
    clipped = 0
    if stored.dtype.kind in "iu":
        kind = np.iinfo(stored.dtype)
        low, high = limits or (kind.min, kind.max)
        exact = np.rint(exact)
        clipped = int(((exact < low) | (exact > high)).sum())
        exact = exact.clip(low, high)
    result[changed] = exact.astype(stored.dtype)
    return result, clipped


def read_back(
    hu: np.ndarray,
    stored: np.ndarray,
    limits: tuple[int, int] | None = None,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> tuple[np.ndarray, int]:
    """HU as `to_hu` gives it of what `to_stored` makes, and how many values were clipped."""
    numbers, clipped = to_stored(hu, stored, limits, slope, intercept)
    return to_hu(numbers, slope, intercept), clipped
