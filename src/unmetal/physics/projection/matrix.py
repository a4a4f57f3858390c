"""Projection and filtered backprojection as sparse matrices, on a CPU or a GPU.

They take seconds to make and 2 GB at 512 x 512, so they serve where the compiled loops do not: on
a GPU, and for MATLAB's way of projecting. All functions have the arguments of those of `compiled`,
and the eight copies of an image (`symmetry`) are the columns of a product.
"""

import warnings
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.projection.geometry import Geometry, Grid, MatlabParallel, angles
from unmetal.physics.projection.rays import Rays
from unmetal.physics.projection.symmetry import (
    COPIES,
    Symmetry,
    copies,
    merge,
    pick,
    put,
)

CHUNK = 2**21
"""Sample points that are alive at once: 2 M points are 16 MB of coordinates."""


def project(images: Tensor, geometry: Geometry) -> Tensor:
    """See `compiled.project`."""
    matrix = system_matrix(geometry, images.shape[-1], False, images.dtype, images.device)
    place = _places(geometry, images.shape[-1])
    # A slice at a time: with more columns a ray's pixels do not fit the cache at 512 px.
    sums = [matrix @ copies(one).view(-1, COPIES) for one in images.split(1)]
    return torch.cat([pick(each[:, None], place) for each in sums])


def backproject(sinogram: Tensor, geometry: Geometry, size: int) -> Tensor:
    """See `compiled.backproject`."""
    matrix = system_matrix(geometry, size, True, sinogram.dtype, sinogram.device)
    place = _places(geometry, size)
    values = [put(one, place, matrix.shape[1])[:, 0] for one in sinogram.split(1)]
    return torch.cat([merge((matrix @ each).view(size, size, 1, COPIES)) for each in values])


def gather(views: Tensor, geometry: Geometry, size: int) -> Tensor:
    """See `compiled.gather`."""
    matrix = backprojection_matrix(geometry, size, False, views.dtype, views.device)
    symmetry, images = Symmetry.of(geometry), []
    for one in views.split(1):
        seen = matrix @ symmetry.split(one).reshape(-1, COPIES)
        # Where half of the rows are enough, the others are in other copies.
        copied = F.pad(seen, (0, 0, 0, size**2 - len(seen))).view(size, size, 1, COPIES)
        images.append(merge(symmetry.once(copied)))
    return torch.cat(images)


def scatter(images: Tensor, geometry: Geometry) -> Tensor:
    """See `compiled.scatter`."""
    matrix = backprojection_matrix(geometry, images.shape[-1], True, images.dtype, images.device)
    symmetry, views = Symmetry.of(geometry), []
    for one in images.split(1):
        copied = symmetry.once(copies(one)).view(-1, COPIES)[: matrix.shape[1]]
        seen = (matrix @ copied).view(symmetry.stored, geometry.bins, 1, COPIES)
        views.append(symmetry.join(seen))
    return torch.cat(views)


def entries(geometry: Geometry, size: int) -> int:
    """The most entries that either matrix has: two pixels a step, two bins a pixel and view."""
    symmetry = Symmetry.of(geometry)
    rays = symmetry.stored * (geometry.bins - symmetry.first_bin)
    return 2 * size * max(rays, symmetry.stored * symmetry.rows(size))


@lru_cache(maxsize=2)
def system_matrix(
    geometry: Geometry, size: int, transposed: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """CSR `[rays, pixels]` of a geometry in pixels, or its explicit transpose."""
    if isinstance(geometry, MatlabParallel):
        matrix = _matlab_matrix(geometry, size, dtype, device)
        return matrix if transposed else _transpose(matrix)
    if transposed:
        return _transpose(system_matrix(geometry, size, False, dtype, device))
    rays = Rays.of(geometry, size)
    rows = CSRBuilder(2 * len(rays.start) * size, dtype)
    for some in torch.arange(len(rays.start)).split(max(1, CHUNK // size)):
        across = rays.across(some, size)
        first = across.floor()
        part = across - first
        # Of each step the two pixels nearest to the ray, `[r size 2]`, and their linear weights.
        column = torch.stack([first, first + 1], -1).int()
        weight = torch.stack([1 - part, part], -1)
        pixel = torch.arange(size, dtype=torch.int32)[:, None] * size + column
        met = (column >= 0) & (column < size) & (weight > 0)
        value = weight * rays.length[some, None, None]
        rows.add(met.sum((1, 2)), pixel[met], value[met])
    return rows.matrix(size**2, device)


@lru_cache(maxsize=2)
def backprojection_matrix(
    geometry: Geometry, size: int, transposed: bool, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Filtered backprojection as a matrix, CSR `[pixels, stored D]`, or its transpose."""
    if transposed:
        return _transpose(backprojection_matrix(geometry, size, False, dtype, device))
    # Row p of the matrix: for pixel p the two bins of each stored view that it lies between.
    symmetry, grid = Symmetry.of(geometry), Grid(size, size, 1.0)
    angle = angles(geometry)[: symmetry.stored]
    rows = CSRBuilder(2 * symmetry.rows(size) * size * len(angle), dtype)
    x, y = grid.x(), grid.y()[: symmetry.rows(size)]
    for some in y.split(max(1, CHUNK // (len(angle) * size))):
        # `[rows columns views]`, some rows of pixels at a time to bound the memory.
        place, weight = geometry.locate(x[None, :, None], some[:, None, None], angle)
        first = place.floor().long()
        index = torch.stack([first, first + 1], -1)
        share = torch.stack([1 - (place - first), place - first], -1) * weight[..., None]
        column = torch.arange(len(angle))[:, None] * geometry.bins + index
        met = (index >= 0) & (index < geometry.bins) & (share > 0)
        rows.add(met.sum((2, 3)).flatten(), column[met].int(), share[met].to(dtype))
    return rows.matrix(len(angle) * geometry.bins, device)


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


def csr(start: Tensor, column: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    """A sparse matrix without torch's notice that sparse matrices are in beta."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return torch.sparse_csr_tensor(
            start.int(), column.int(), value, size=size, check_invariants=False
        )


def _places(geometry: Geometry, size: int) -> Tensor:
    # MATLAB's pixels are seen as they lie; there is no ray to transpose.
    if isinstance(geometry, MatlabParallel):
        return Symmetry.of(geometry).place
    return Rays.of(geometry, size).place


def _matlab_matrix(
    geometry: MatlabParallel, size: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """CSR `[pixels, rays]`: the transpose, because a pixel's bins are known in order."""
    symmetry, grid = Symmetry.of(geometry), Grid(size, size, 1.0)
    angle = angles(geometry)[: symmetry.stored]
    rows = CSRBuilder(4 * size**2 * len(angle), dtype)
    stored = geometry.bins - symmetry.first_bin
    for y in grid.y().split(16):
        where = geometry.locate(grid.x()[None, :, None], y[:, None, None], angle)[0]
        # The four points lie at (+-1/4, +-1/4) pixel; in bins, by cos and sin of the view: `[2 v]`.
        shift = torch.stack([angle.cos(), angle.sin()]) / geometry.pitch / 4
        reach = shift.abs().sum(0)
        first = (where - reach).floor()
        # Four points no farther apart than 0.71 bins spread over four bins at most.
        share = torch.zeros(*where.shape, 4, dtype=torch.float64)
        bins = first[..., None] + torch.arange(4)
        for point in (shift[0] + shift[1], shift[0] - shift[1]):
            for place in (where + point, where - point):
                share += (1 - (place[..., None] - bins).abs()).clamp_min(0)
        index = bins.int() - symmetry.first_bin
        met = (share > 1e-12) & (index >= 0) & (index < stored)
        column = torch.arange(len(angle))[:, None] * stored + index
        # The mass of a pixel is its area, 1; a bin sees it over one pitch.
        rows.add(met.sum((2, 3)).flatten(), column[met].int(), share[met] / 4 / geometry.pitch)
    return rows.matrix(len(angle) * stored, device)


def _transpose(matrix: Tensor) -> Tensor:
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        # The CSC form of a matrix is the CSR form of its transpose: nothing is computed.
        columns = matrix.to_sparse_csc()
    size = (matrix.shape[1], matrix.shape[0])
    return csr(columns.ccol_indices(), columns.row_indices(), columns.values(), size)
