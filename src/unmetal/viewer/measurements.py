"""What pixels in a shape, or along a line, read: from the stored HU, never from the screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from unmetal.errors import InputError
from unmetal.viewer.records import Grid

Point = tuple[float, float]

AXES: dict[str, tuple[int, int, int]] = {
    "axial": (0, 2, 1),
    "coronal": (1, 2, 0),
    "sagittal": (2, 1, 0),
}
"""Plane -> axes of `[slices H W]`: across it, along the first and along the second coordinate."""

SAMPLES_PER_PIXEL = 2
"""Of a line profile."""

MOST_SAMPLES = 20_000


@dataclass(frozen=True)
class Shape:
    """A shape in a plane, in voxel indices: whole numbers are centers of pixels."""

    kind: Literal["rectangle", "ellipse", "line"]
    plane: Literal["axial", "coronal", "sagittal"]
    index: int
    start: Point
    end: Point

    def require_inside(self, grid: Grid) -> None:
        """Raise `InputError` where its plane is outside of the series, or a number is none."""
        across, first, second = AXES[self.plane]
        if not 0 <= self.index < grid.shape[across]:
            raise InputError(f"{self.plane} {self.index}: outside of the series")
        for axis, place in zip((first, second) * 2, self.start + self.end, strict=True):
            if not -1 <= place <= grid.shape[axis]:
                raise InputError(f"{self.kind}: a corner at {place:g} is outside of the series")

    def pixel(self, grid: Grid) -> tuple[float, float]:
        """mm along the first and the second coordinate."""
        _, first, second = AXES[self.plane]
        return grid.spacing[first], grid.spacing[second]

    def of(self, volume: np.ndarray) -> np.ndarray:
        """Its plane as `[second first]`, of a volume `[slices H W]`."""
        across = AXES[self.plane][0]
        return np.take(volume, self.index, axis=across)

    def mask(self, size: tuple[int, ...]) -> np.ndarray:
        """bool `[second first]`: the pixels whose center lies in it, its edge included."""
        b, a = np.ogrid[: size[0], : size[1]]
        (a0, b0), (a1, b1) = self.start, self.end
        if self.kind == "rectangle":
            within: np.ndarray = (
                (a >= min(a0, a1)) & (a <= max(a0, a1)) & (b >= min(b0, b1)) & (b <= max(b0, b1))
            )
            return within
        # The ellipse that fills the rectangle; a side of no length holds nothing but its line.
        half_a, half_b = max(abs(a1 - a0) / 2, 1e-9), max(abs(b1 - b0) / 2, 1e-9)
        inside: np.ndarray = ((a - (a0 + a1) / 2) / half_a) ** 2 + (
            (b - (b0 + b1) / 2) / half_b
        ) ** 2 <= 1
        return inside


def measure(
    shape: Shape, grid: Grid, original: np.ndarray, corrected: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """The answer to the page; volumes are HU `[slices H W]`, of results by their id.

    Raises `InputError` for a shape outside of the series, or without a pixel in it.
    """
    shape.require_inside(grid)
    return (_line if shape.kind == "line" else _area)(shape, grid, original, corrected)


def statistics(values: np.ndarray) -> dict[str, float]:
    """Mean, population SD, least and most of some HU."""
    values = values.astype(np.float64)
    return {
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
    }


def _area(
    shape: Shape, grid: Grid, original: np.ndarray, corrected: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    before = shape.of(original)
    mask = shape.mask(before.shape)
    if not mask.any():
        raise InputError(f"{shape.kind}: no center of a pixel lies in it: draw it larger")
    first, second = shape.pixel(grid)
    return {
        "pixels": int(mask.sum()),
        "area_mm2": float(mask.sum()) * first * second,
        "original": statistics(before[mask]),
        "results": _compared(
            before[mask], {id: shape.of(one)[mask] for id, one in corrected.items()}
        ),
    }


def _line(
    shape: Shape, grid: Grid, original: np.ndarray, corrected: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    from scipy import ndimage  # noqa: PLC0415  (0.2 s, which the page need not wait)

    first, second = shape.pixel(grid)
    along = np.array(shape.end) - np.array(shape.start)
    length = float(np.hypot(along[0] * first, along[1] * second))
    count = min(int(np.ceil(SAMPLES_PER_PIXEL * np.hypot(*along))) + 1, MOST_SAMPLES)
    steps = np.linspace(0, 1, max(count, 2))
    places = np.array(shape.start)[:, None] + along[:, None] * steps

    def sampled(volume: np.ndarray) -> np.ndarray:
        plane = shape.of(volume).astype(np.float64)
        values: np.ndarray = ndimage.map_coordinates(plane, places[::-1], order=1, mode="nearest")
        return values

    before = sampled(original)
    after = {id: sampled(one) for id, one in corrected.items()}
    return {
        "pixels": len(steps),
        "area_mm2": 0.0,
        "length_mm": length,
        "original": statistics(before),
        "results": _compared(before, after),
        "profile": {
            "mm": (steps * length).tolist(),
            "original": before.tolist(),
            **{id: values.tolist() for id, values in after.items()},
        },
    }


def _compared(before: np.ndarray, after: Mapping[str, np.ndarray]) -> dict[str, Any]:
    return {
        id: {
            "corrected": statistics(values),
            "difference": statistics(values.astype(np.float64) - before),
        }
        for id, values in after.items()
    }
