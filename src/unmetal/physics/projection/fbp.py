"""Filtered backprojection for every geometry, by a sparse matrix or without one.

Kak and Slaney, chapter 3: weigh the rays, filter each view with the band-limited ramp, and add
what each view says of a pixel, linearly interpolated between bins.
"""

import math
from functools import lru_cache, partial
from typing import Literal

import torch
from torch import Tensor
from torch.autograd.functional import vjp
from torch.nn import functional as F

from unmetal.physics.projection.geometry import Geometry, Grid, angles
from unmetal.physics.projection.matrix import CHUNK, CSRBuilder, apply_backprojection
from unmetal.physics.projection.projector import MATRIX_LIMIT, Backend, check_shape
from unmetal.physics.projection.symmetry import Symmetry

Kernel = Literal["ram-lak", "hann"]
"""`ram-lak` is the ramp itself (sharp, what the published protocols use); `hann` rolls it off to
zero at the Nyquist frequency (smooth, a soft-tissue kernel)."""


def reconstruct(
    sinogram: Tensor,
    geometry: Geometry,
    grid: Grid,
    kernel: Kernel = "ram-lak",
    backend: Backend = "auto",
) -> Tensor:
    """Image `[B 1 H W]` in 1/cm from line integrals `[B 1 V D]`; linear and differentiable."""
    check_shape(sinogram, (geometry.views, geometry.bins), "sinogram")
    # In pixels, series of any pixel size share one matrix.
    geometry, pixel, grid = geometry.scaled(1 / grid.pixel), grid.pixel, grid.in_pixels()
    filtered = _filter_views(sinogram, geometry, kernel) / pixel
    entries = 2 * Symmetry.of(geometry).stored * grid.squared()[0].width ** 2
    small = 8 * entries <= MATRIX_LIMIT
    if backend == "matrix" or (backend == "auto" and small):
        return _MatrixBackprojection.apply(filtered, geometry, grid)
    return _backproject_by_interpolation(filtered, geometry, grid)


def _filter_views(sinogram: Tensor, geometry: Geometry, kernel: Kernel) -> Tensor:
    """Weighted and ramp-filtered views `[B 1 V D]`."""
    # Zero padding to twice the bins: a cyclic convolution then equals the linear one.
    length = 2 ** math.ceil(math.log2(2 * geometry.bins))
    response = _response(geometry, kernel, length).to(sinogram)
    weighed = sinogram * geometry.weight().to(sinogram)
    spectrum = torch.fft.rfft(weighed, n=length) * response
    return torch.fft.irfft(spectrum, n=length)[..., : geometry.bins]


@lru_cache(maxsize=32)
def _response(geometry: Geometry, kernel: Kernel, length: int) -> Tensor:
    ramp = geometry.ramp()
    # Roll the kernel's middle to index 0; it is even, so its transform is real.
    padded = F.pad(ramp, (0, length - len(ramp))).roll(1 - geometry.bins)
    response = torch.fft.rfft(padded).real
    if kernel == "hann":
        frequency = torch.linspace(0, 1, len(response), dtype=response.dtype)
        response = response * (0.5 + 0.5 * (math.pi * frequency).cos())
    return response


@lru_cache(maxsize=2)
def _backprojection_matrix(
    geometry: Geometry, grid: Grid, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Backprojection as a matrix, CSR `[pixels, stored D]`; see `matrix.system_matrix`."""
    # Row p of the matrix: for pixel p the two bins of each stored view that it lies between.
    square, _ = grid.squared()
    views = Symmetry.of(geometry).stored
    angle = angles(geometry)[:views]
    rows = CSRBuilder(2 * square.width**2 * views, dtype)
    x = square.x()
    for y in square.y().split(max(1, CHUNK // (4 * views * square.width))):
        # `[rows columns views]`, some rows of pixels at a time to bound the memory.
        place, weight = geometry.locate(x[None, :, None], y[:, None, None], angle)
        first = place.floor().long()
        index = torch.stack([first, first + 1], -1)
        share = torch.stack([1 - (place - first), place - first], -1) * weight[..., None]
        column = torch.arange(views)[:, None] * geometry.bins + index
        met = (index >= 0) & (index < geometry.bins) & (share > 0)
        rows.add(met.sum((2, 3)).flatten(), column[met].int(), share[met].to(dtype))
    return rows.matrix(views * geometry.bins, device)


class _MatrixBackprojection(torch.autograd.Function):
    """Backprojection by matrix; its gradient comes from the matrix-free form."""

    @staticmethod
    def forward(ctx, views, geometry, grid):  # type: ignore[no-untyped-def]
        ctx.set = (geometry, grid, views.shape)
        matrix = _backprojection_matrix(geometry, grid, views.dtype, views.device)
        return apply_backprojection(matrix, views, Symmetry.of(geometry), grid)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        geometry, grid, shape = ctx.set
        backproject = partial(_backproject_by_interpolation, geometry=geometry, grid=grid)
        return vjp(backproject, gradient.new_zeros(shape), gradient)[1], None, None


def _backproject_by_interpolation(views: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    """Backproject filtered views `[B 1 V D]` by linear interpolation, some views at a time."""
    x, y = grid.x()[None, :], grid.y()[:, None]
    image = views.new_zeros(len(views), 1, grid.height, grid.width)
    some = max(1, CHUNK // (4 * grid.height * grid.width))
    for k, angle in zip(
        torch.arange(geometry.views).split(some), angles(geometry).split(some), strict=True
    ):
        place, weight = geometry.locate(x, y, angle[:, None, None])
        inside = (place >= -1) & (place <= geometry.bins)
        # A zero bin at each end, so that interpolation fades out as the matrix does.
        padded = F.pad(views[:, 0, k], (1, 2)).flatten(1)
        place = place.clamp(-1, geometry.bins) + 1
        first = place.floor()
        part = (place - first).to(views)
        row = torch.arange(len(k))[:, None, None] * (geometry.bins + 3)
        at = (first.long() + row).flatten().to(views.device)
        low = padded[:, at].reshape(len(views), *place.shape)
        high = padded[:, at + 1].reshape(len(views), *place.shape)
        # Linear interpolation between the two bins, times the view's weight: `[B v H W]`.
        seen = (low + (high - low) * part) * (weight * inside).to(views)
        image = image + seen.sum(1, keepdim=True)
    return image
