"""Where rays meet pixels, by Joseph's rule (IEEE Trans Med Imaging 1(3), 1982)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Grid


@dataclass(frozen=True)
class Steps:
    """Joseph's sample points of rays that all step along the same axis of a square grid.

    Ray r crosses row (or column) i at the fractional column (or row) `start[r] + slope[r] * i`.
    """

    ray: Tensor
    """int64 `[R]`: which rays these are."""
    start: Tensor
    """float64 `[R]`, pixel index."""
    slope: Tensor
    """float64 `[R]`, pixels per step."""
    length: Tensor
    """float64 `[R]`, cm per step."""

    def across(self, size: int, dtype: torch.dtype) -> Tensor:
        """`[R size]`: the fractional pixel index at each step."""
        step = torch.arange(size, dtype=dtype)
        return torch.addcmul(self.start[:, None].to(dtype), self.slope[:, None].to(dtype), step)


def by_row_and_column(theta: Tensor, t: Tensor, grid: Grid) -> tuple[Steps, Steps]:
    """Split rays (`[R]` float64: radians, cm) into those that step from row to row and those
    that step from column to column, whichever they run closer to."""
    # The line x cos + y sin = t runs closer to the y axis (from row to row) where |cos| >= |sin|.
    steep = theta.cos().abs() >= theta.sin().abs()
    row, column = grid.center
    rows, columns = steep.nonzero()[:, 0], (~steep).nonzero()[:, 0]
    # Row i lies at y = (row - i) pixel, and x = (t - y sin) / cos.
    cos, sin, place = theta[rows].cos(), theta[rows].sin(), t[rows] / grid.pixel
    by_row = Steps(rows, column + (place - row * sin) / cos, sin / cos, grid.pixel / cos.abs())
    # Column i lies at x = (i - column) pixel, and y = (t - x cos) / sin counts against rows.
    cos, sin, place = theta[columns].cos(), theta[columns].sin(), t[columns] / grid.pixel
    by_column = Steps(
        columns, row - (place + column * cos) / sin, cos / sin, grid.pixel / sin.abs()
    )
    return by_row, by_column
