"""Where rays meet pixels, by Joseph's rule (IEEE Trans Med Imaging 1(3), 1982)."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Geometry, Grid
from unmetal.physics.projection.symmetry import COPIES, Symmetry, copies


@dataclass(frozen=True)
class Rays:
    """The rays that stand for all (`Symmetry`), through a square image whose pixels are the unit.

    All of them step from row to row: ray r crosses row i at the fractional column
    `start[r] + slope[r] * i`. One that runs closer to the rows is that of the transposed image.
    """

    start: Tensor
    """float64 `[R]`, column at row 0."""
    slope: Tensor
    """float64 `[R]`, columns per row."""
    length: Tensor
    """float64 `[R]`, pixels per row."""
    place: Tensor
    """int64 `[V D]`: where each ray of the geometry is found in `[R 8]`, the copies' sums."""

    @staticmethod
    @lru_cache(maxsize=4)
    def of(geometry: Geometry, size: int) -> "Rays":
        """Those of a geometry in pixels, through `size` x `size` of them."""
        symmetry = Symmetry.of(geometry)
        stored = (slice(symmetry.stored), slice(symmetry.first_bin, None))
        theta, t = (each[stored].flatten() for each in geometry.rays())
        row, column = Grid(size, size, 1.0).center
        # Row i lies at y = row - i, and x = (t - y sin) / cos; column i at x = i - column, and
        # y = (t - x cos) / sin counts against rows.
        cos, sin = theta.cos(), theta.sin()
        steep = cos.abs() >= sin.abs()
        start = torch.where(steep, column + (t - row * sin) / cos, row - (t + column * cos) / sin)
        slope = torch.where(steep, sin / cos, cos / sin)
        length = 1 / torch.maximum(cos.abs(), sin.abs())
        # The transposed copies are the copies again, in another order.
        copy, ray = symmetry.place % COPIES, symmetry.place // COPIES
        copy = torch.where(steep[ray], copy, _transposed_copies()[copy])
        return Rays(start, slope, length, ray * COPIES + copy)

    def across(self, some: Tensor, size: int) -> Tensor:
        """float64 `[r size]`: the fractional column at each row of `some` rays."""
        step = torch.arange(size, dtype=torch.float64)
        return torch.addcmul(self.start[some, None], self.slope[some, None], step)

    def met(self, size: int) -> tuple[Tensor, Tensor]:
        """int64 `[R]` each: the first row of an image of `size` that a ray meets, and the one
        behind the last; the same where it meets none."""
        # Between column -1 and column `size` its two pixels are not both outside. A ray straight
        # down has no slope: it meets every row or none.
        straight = self.slope.abs() < 1e-12
        slope = torch.where(straight, 1e-12, self.slope)
        ends = torch.stack([(-1 - self.start) / slope, (size - self.start) / slope]).sort(0).values
        first, last = ends[0].ceil().clamp(0, size), (ends[1].floor() + 1).clamp(0, size)
        outside = (self.start <= -1) | (self.start >= size)
        first = torch.where(straight, torch.where(outside, size, 0), first)
        last = torch.where(straight, size, last)
        return first.long(), torch.maximum(first, last).long()


def _transposed_copies() -> Tensor:
    """int64 `[8]`: which copy of an image the transpose of each copy is."""
    # Four different pixels tell the eight copies apart.
    seen = copies(torch.arange(4).reshape(1, 2, 2))[:, :, 0]
    transposed = seen.transpose(0, 1)
    return (transposed[..., None] == seen[..., None, :]).all((0, 1)).int().argmax(1)
