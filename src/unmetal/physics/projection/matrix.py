"""Projection as a sparse matrix, of which symmetry stores an eighth."""

import warnings
from functools import lru_cache

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Geometry, Grid, MatlabParallel, angles
from unmetal.physics.projection.rays import by_row_and_column
from unmetal.physics.projection.symmetry import Symmetry

CHUNK = 2**23
"""Sample points that are alive at once: 8 M points are 64 MB of coordinates."""

COLUMNS = 8
"""Columns of a sparse product: few enough that a ray's pixels fit the cache at 512 px, where 16
and more take three times as long (benchmarks/projector.py)."""


@lru_cache(maxsize=2)
def system_matrix(
    geometry: Geometry, grid: Grid, transposed: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """CSR `[stored D, pixels]` of the squared grid in cm, or its explicit transpose; the views
    that are stored are those of `Symmetry`."""
    if isinstance(geometry, MatlabParallel):
        matrix = _matlab_matrix(geometry, grid.squared()[0], dtype, device)
        return matrix if transposed else _transpose(matrix)
    if transposed:
        return _transpose(system_matrix(geometry, grid, False, dtype, device))
    # Rays only of the views that symmetry stores, as one list `[R]`, view by view.
    square, _ = grid.squared()
    theta, t = (rays[: Symmetry.of(geometry).stored].flatten() for rays in geometry.rays())
    rows = CSRBuilder(2 * len(t) * square.width, dtype)
    for some in torch.arange(len(t)).split(max(1, CHUNK // (4 * square.width))):
        rows.add(*_weights(theta[some], t[some], square))
    return rows.matrix(square.width**2, device)


class CSRBuilder:
    """Collects the rows of a sparse matrix chunk by chunk, without holding them twice."""

    def __init__(self, most: int, dtype: torch.dtype) -> None:
        # `most` is an upper bound; the system backs only those pages that are written to.
        self.columns = torch.empty(most, dtype=torch.int32)
        self.values = torch.empty(most, dtype=dtype)
        self.counts: list[Tensor] = []
        self.filled = 0

    def add(self, count: Tensor, column: Tensor, value: Tensor) -> None:
        """Entries of each row `[r]`, and of all of them the columns and the values `[n]`."""
        there = slice(self.filled, self.filled + len(column))
        self.columns[there], self.values[there] = column, value
        self.counts.append(count)
        self.filled += len(column)

    def matrix(self, columns: int, device: torch.device) -> Tensor:
        """The rows as CSR `[rows columns]`."""
        # CSR: row r has the entries start[r] to start[r + 1].
        count = torch.cat(self.counts)
        start = torch.cat([torch.zeros(1, dtype=torch.long), count.cumsum(0)])
        index, value = self.columns[: self.filled], self.values[: self.filled]
        return csr(start.to(device), index.to(device), value.to(device), (len(count), columns))


def _weights(theta: Tensor, t: Tensor, grid: Grid) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of the matrix: entries per ray `[R]`, their pixels (int32) and weights (cm)."""
    size = grid.width
    step = torch.arange(size, dtype=torch.int32)[:, None]
    pixel = torch.empty(len(t), size, 2, dtype=torch.int32)
    share = torch.empty(len(t), size, 2, dtype=torch.float64)
    met = torch.empty(len(t), size, 2, dtype=torch.bool)
    # Rows of pixels are `size` apart in the flat image, columns 1; a ray that steps along one axis
    # is interpolated between two neighbors on the other.
    for steps, stride in zip(by_row_and_column(theta, t, grid), (size, 1), strict=True):
        across = steps.across(size, torch.float64)
        first = across.floor()
        part = across - first
        # Of each step the two pixels nearest to the ray, `[r size 2]`, and their linear weights.
        index = torch.stack([first, first + 1], -1).int()
        weight = torch.stack([1 - part, part], -1)
        pixel[steps.ray] = step * stride + index * (size + 1 - stride)
        share[steps.ray] = weight * steps.length[:, None, None]
        met[steps.ray] = (index >= 0) & (index < size) & (weight > 0)
    return met.sum((1, 2)), pixel[met], share[met]


def _matlab_matrix(
    geometry: MatlabParallel, grid: Grid, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """CSR `[pixels, stored D]`: the transpose, because a pixel's bins are known in order."""
    angle = angles(geometry)[: Symmetry.of(geometry).stored]
    rows = CSRBuilder(4 * grid.width**2 * len(angle), dtype)
    for y in grid.y().split(16):
        where = geometry.locate(grid.x()[None, :, None], y[:, None, None], angle)[0]
        # The four points lie at (+-1/4, +-1/4) pixel; in bins, by cos and sin of the view: `[2 v]`.
        shift = (grid.pixel / geometry.pitch / 4) * torch.stack([angle.cos(), angle.sin()])
        reach = shift.abs().sum(0)
        first = (where - reach).floor()
        # Four points no farther apart than 0.71 bins spread over four bins at most.
        share = torch.zeros(*where.shape, 4, dtype=torch.float64)
        bins = first[..., None] + torch.arange(4)
        for point in (shift[0] + shift[1], shift[0] - shift[1]):
            for place in (where + point, where - point):
                share += (1 - (place[..., None] - bins).abs()).clamp_min(0)
        met = (share > 1e-12) & (bins >= 0) & (bins < geometry.bins)
        column = torch.arange(len(angle))[:, None] * geometry.bins + bins.int()
        # The mass of a pixel is its area; a bin sees it over one pitch.
        value = share[met] / 4 * (grid.pixel**2 / geometry.pitch)
        rows.add(met.sum((2, 3)).flatten(), column[met].int(), value)
    return rows.matrix(len(angle) * geometry.bins, device)


def _transpose(matrix: Tensor) -> Tensor:
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        # The CSC form of a matrix is the CSR form of its transpose: nothing is computed.
        columns = matrix.to_sparse_csc()
    size = (matrix.shape[1], matrix.shape[0])
    return csr(columns.ccol_indices(), columns.row_indices(), columns.values(), size)


def csr(start: Tensor, column: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    """A sparse matrix without torch's notice that sparse matrices are in beta."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return torch.sparse_csr_tensor(
            start.int(), column.int(), value, size=size, check_invariants=False
        )


def apply_backprojection(
    matrix: Tensor, sinogram: Tensor, symmetry: Symmetry, grid: Grid
) -> Tensor:
    """`matrix` (CSR `[pixels, stored D]`) times the views of `sinogram` `[B 1 V D]`, on `grid`."""
    square, (left, _, top, _) = grid.squared()
    # A few slices at a time, and the padding of the squared grid cut off again.
    images = [
        symmetry.merge(matrix @ symmetry.gather(some).contiguous(), square.width)
        for some in sinogram.split(max(1, COLUMNS // symmetry.copies))
    ]
    return torch.cat(images)[..., top : top + grid.height, left : left + grid.width]
