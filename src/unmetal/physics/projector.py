"""Line integrals of images, and their exact adjoint, on a CPU or a GPU.

Both backends weigh pixels as Joseph does (IEEE Trans Med Imaging 1(3), 1982): a ray steps along
the axis it runs closer to and interpolates linearly across it. `matrix` keeps the weights in a
sparse matrix and is the faster one from the second slice on; `rays` recomputes them and needs no
memory. They agree to float32 rounding.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.geometry import Geometry, Grid, Quarters, angles
from unmetal.physics.symmetry import Symmetry

CPU = torch.device("cpu")

Backend = Literal["auto", "matrix", "rays"]

MATRIX_LIMIT = 1.5 * 2**30
"""Bytes above which `auto` does without a matrix; two of each kind are kept."""

CHUNK = 2**23
"""Sample points that are alive at once: 8 M points are 64 MB of coordinates."""

COLUMNS = 8
"""Columns of a sparse product. Measured on one thread: at 256 px anything from 8 to 24 is as fast,
from 416 px on 16 and more take three times as long, for a ray's pixels no longer fit the cache."""


def project(image: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto") -> Tensor:
    """Line integrals `[B 1 V D]` of `image` `[B 1 H W]`; differentiable.

    The unit of the image times cm: 1/cm becomes dimensionless, a mask becomes cm.
    """
    _check(image, (grid.height, grid.width), "image")
    return _apply(image, geometry, grid, backend, transposed=False)


def backproject(
    sinogram: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto"
) -> Tensor:
    """The adjoint of `project`: `[B 1 V D]` -> `[B 1 H W]`; differentiable. Not an inverse."""
    _check(sinogram, (geometry.views, geometry.bins), "sinogram")
    return _apply(sinogram, geometry, grid, backend, transposed=True)


def _apply(
    x: Tensor, geometry: Geometry, grid: Grid, backend: Backend, *, transposed: bool
) -> Tensor:
    # In pixels, series of any pixel size share one matrix.
    geometry, pixel, grid = geometry.scaled(1 / grid.pixel), grid.pixel, grid.in_pixels()
    chosen = _choose(backend, geometry, grid)
    return _Linear.apply(x, geometry, grid, chosen, transposed) * pixel


class _Linear(torch.autograd.Function):
    """A linear map and its transpose, each the other's gradient."""

    @staticmethod
    def forward(ctx, x, geometry, grid, backend, transposed):  # type: ignore[no-untyped-def]
        ctx.set = (geometry, grid, backend, transposed)
        across = {
            ("matrix", False): _matrix_project,
            ("matrix", True): _matrix_backproject,
            ("rays", False): _rays_project,
            ("rays", True): _rays_backproject,
        }[backend, transposed]
        return across(x, geometry, grid)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        geometry, grid, backend, transposed = ctx.set
        back = _Linear.apply(gradient, geometry, grid, backend, not transposed)
        return back, None, None, None, None


def _check(x: Tensor, shape: tuple[int, int], name: str) -> None:
    if x.ndim != 4 or x.shape[1] != 1 or tuple(x.shape[2:]) != shape:
        raise ValueError(f"{name} is {tuple(x.shape)}, the geometry wants (B, 1, *{shape})")


def _choose(backend: Backend, geometry: Geometry, grid: Grid) -> Literal["matrix", "rays"]:
    if isinstance(geometry, Quarters):
        return "matrix"
    if backend != "auto":
        return backend
    entries = Symmetry.of(geometry).stored * geometry.bins * 2 * grid.squared()[0].width
    return "matrix" if 8 * entries <= MATRIX_LIMIT else "rays"


# --- where a ray meets pixels ------------------------------------------------------------------


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
    steep = theta.cos().abs() >= theta.sin().abs()
    row, column = grid.centre
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


# --- a sparse matrix, an eighth of it stored ---------------------------------------------------


@lru_cache(maxsize=2)
def system_matrix(
    geometry: Geometry,
    grid: Grid,
    transposed: bool = False,
    dtype: torch.dtype = torch.float32,
    device: torch.device = CPU,
) -> Tensor:
    """CSR `[stored D, pixels]` of the squared grid in cm, or its explicit transpose; the views
    that are stored are those of `Symmetry`."""
    if isinstance(geometry, Quarters):
        matrix = _quarters_matrix(geometry, grid.squared()[0], dtype, device)
        return matrix if transposed else _transpose(matrix)
    if transposed:
        return _transpose(system_matrix(geometry, grid, False, dtype, device))
    square, _ = grid.squared()
    theta, t = (rays[: Symmetry.of(geometry).stored].flatten() for rays in geometry.rays())
    rows = Rows(2 * len(t) * square.width, dtype)
    for some in torch.arange(len(t)).split(max(1, CHUNK // (4 * square.width))):
        rows.add(*_weights(theta[some], t[some], square))
    return rows.matrix(square.width**2, device)


class Rows:
    """Rows of a sparse matrix, collected some at a time without ever holding them twice."""

    def __init__(self, most: int, dtype: torch.dtype) -> None:
        # Memory that is not written to is not taken.
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
    for steps, stride in zip(by_row_and_column(theta, t, grid), (size, 1), strict=True):
        across = steps.across(size, torch.float64)
        first = across.floor()
        part = across - first
        index = torch.stack([first, first + 1], -1).int()
        weight = torch.stack([1 - part, part], -1)
        pixel[steps.ray] = step * stride + index * (size + 1 - stride)
        share[steps.ray] = weight * steps.length[:, None, None]
        met[steps.ray] = (index >= 0) & (index < size) & (weight > 0)
    return met.sum((1, 2)), pixel[met], share[met]


def _quarters_matrix(
    geometry: Quarters, grid: Grid, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """CSR `[pixels, stored D]`: the transpose, because a pixel's bins are known in order."""
    angle = angles(geometry)[: Symmetry.of(geometry).stored]
    rows = Rows(4 * grid.width**2 * len(angle), dtype)
    for y in grid.y().split(16):
        where = geometry.locate(grid.x()[None, :, None], y[:, None, None], angle)[0]
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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*")
        columns = matrix.to_sparse_csc()
    size = (matrix.shape[1], matrix.shape[0])
    return csr(columns.ccol_indices(), columns.row_indices(), columns.values(), size)


def csr(start: Tensor, column: Tensor, value: Tensor, size: tuple[int, int]) -> Tensor:
    """A sparse matrix without torch's notice that sparse matrices are in beta."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*")
        return torch.sparse_csr_tensor(
            start.int(), column.int(), value, size=size, check_invariants=False
        )


def _matrix_project(image: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    matrix = system_matrix(geometry, grid, False, image.dtype, image.device)
    symmetry, (_, padding) = Symmetry.of(geometry), grid.squared()
    return torch.cat(
        [
            symmetry.spread(
                matrix @ symmetry.copy(F.pad(some, padding)).contiguous(), geometry.bins
            )
            for some in image.split(max(1, COLUMNS // symmetry.copies))
        ]
    )


def _matrix_backproject(sinogram: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    matrix = system_matrix(geometry, grid, True, sinogram.dtype, sinogram.device)
    return add_up(matrix, sinogram, Symmetry.of(geometry), grid)


def add_up(matrix: Tensor, sinogram: Tensor, symmetry: Symmetry, grid: Grid) -> Tensor:
    """`matrix` (CSR `[pixels, stored D]`) times the views of `sinogram` `[B 1 V D]`, on `grid`."""
    square, (left, _, top, _) = grid.squared()
    images = [
        symmetry.merge(matrix @ symmetry.gather(some).contiguous(), square.width)
        for some in sinogram.split(max(1, COLUMNS // symmetry.copies))
    ]
    return torch.cat(images)[..., top : top + grid.height, left : left + grid.width]


# --- no matrix ---------------------------------------------------------------------------------


def _rays_chunks(geometry: Geometry, grid: Grid) -> list[Tensor]:
    rows = max(1, CHUNK // (geometry.bins * grid.squared()[0].width))
    return list(torch.arange(geometry.views).split(rows))


def _rays_views(image: Tensor, geometry: Geometry, grid: Grid, views: Tensor) -> Tensor:
    """Some views `[B 1 v D]` of a squared image, sampled by bilinear interpolation, which is
    linear where a ray steps from row to row."""
    theta, t = (rays[views].flatten() for rays in geometry.rays())
    sums = image.new_empty(len(image), 1, len(t))
    to_unit = 2 / (grid.width - 1)
    step = torch.arange(grid.width) * to_unit - 1
    for steps, lying in zip(
        by_row_and_column(theta, t, grid), (image, image.transpose(2, 3)), strict=True
    ):
        x = steps.across(grid.width, image.dtype) * to_unit - 1
        points = torch.stack([x, step.to(x).expand_as(x)], -1).to(image.device)
        samples = F.grid_sample(
            lying, points.expand(len(image), -1, -1, -1), padding_mode="zeros", align_corners=True
        )
        sums[:, :, steps.ray] = samples.sum(-1) * steps.length.to(image)
    return sums.reshape(len(image), 1, len(views), geometry.bins)


def _rays_project(image: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    square, padding = grid.squared()
    image = F.pad(image, padding)
    parts = [_rays_views(image, geometry, square, v) for v in _rays_chunks(geometry, grid)]
    return torch.cat(parts, 2)


def _rays_backproject(sinogram: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    square, (left, _, top, _) = grid.squared()
    shape = (len(sinogram), 1, square.height, square.width)
    image = torch.zeros(shape, dtype=sinogram.dtype, device=sinogram.device)
    for views in _rays_chunks(geometry, grid):
        with torch.enable_grad():
            here = torch.zeros_like(image, requires_grad=True)
            seen = _rays_views(here, geometry, square, views)
            (gradient,) = torch.autograd.grad(seen, here, sinogram[:, :, views])
        image += gradient
    return image[..., top : top + grid.height, left : left + grid.width]
