"""Line integrals of images, and their exact adjoint, on a CPU or a GPU.

Both backends weigh pixels as Joseph does (IEEE Trans Med Imaging 1(3), 1982): a ray steps along
the axis it runs closer to and interpolates linearly across it. `matrix` keeps the weights in a
sparse matrix, which takes seconds to make and is then many times faster, the one for a series;
`rays` recomputes them and needs no memory (benchmarks/projector.py). They agree to float32
rounding.
"""

from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.autograd.functional import vjp
from torch.nn import functional as F

from unmetal.physics.projection.geometry import Geometry, Grid, MatlabParallel
from unmetal.physics.projection.matrix import CHUNK, COLUMNS, apply_backprojection, system_matrix
from unmetal.physics.projection.rays import by_row_and_column
from unmetal.physics.projection.symmetry import Symmetry

Backend = Literal["auto", "matrix", "rays"]

MATRIX_LIMIT = 1.5 * 2**30
"""Bytes above which `auto` does without a matrix; two of each kind are kept."""


def project(image: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto") -> Tensor:
    """Line integrals `[B 1 V D]` of `image` `[B 1 H W]`; differentiable.

    The unit of the image times cm: 1/cm becomes dimensionless, a mask becomes cm.
    """
    check_shape(image, (grid.height, grid.width), "image")
    return _apply(image, geometry, grid, backend, transposed=False)


def backproject(
    sinogram: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto"
) -> Tensor:
    """The adjoint of `project`: `[B 1 V D]` -> `[B 1 H W]`; differentiable. Not an inverse."""
    check_shape(sinogram, (geometry.views, geometry.bins), "sinogram")
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


def check_shape(x: Tensor, shape: tuple[int, int], name: str) -> None:
    """Raises `ValueError` unless `x` is `[B 1 *shape]`."""
    if x.ndim != 4 or x.shape[1] != 1 or tuple(x.shape[2:]) != shape:
        raise ValueError(f"{name} is {tuple(x.shape)}, the geometry wants (B, 1, *{shape})")


def _choose(backend: Backend, geometry: Geometry, grid: Grid) -> Literal["matrix", "rays"]:
    if isinstance(geometry, MatlabParallel):
        return "matrix"
    if backend != "auto":
        return backend
    # Two pixels a step; a value and an int32 index take 8 bytes an entry.
    entries = Symmetry.of(geometry).stored * geometry.bins * 2 * grid.squared()[0].width
    return "matrix" if 8 * entries <= MATRIX_LIMIT else "rays"


def _matrix_project(image: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    # Few slices at a time (`COLUMNS`): the turned copies are the columns of the sparse product.
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
    return apply_backprojection(matrix, sinogram, Symmetry.of(geometry), grid)


def _rays_chunks(geometry: Geometry, grid: Grid) -> list[Tensor]:
    rows = max(1, CHUNK // (geometry.bins * grid.squared()[0].width))
    return list(torch.arange(geometry.views).split(rows))


def _rays_views(image: Tensor, geometry: Geometry, grid: Grid, views: Tensor) -> Tensor:
    """Some views `[B 1 v D]` of a squared image, sampled by bilinear interpolation, which is
    linear where a ray steps from row to row."""
    theta, t = (rays[views].flatten() for rays in geometry.rays())
    sums = image.new_empty(len(image), 1, len(t))
    # grid_sample wants coordinates from -1 (first pixel) to 1 (last pixel).
    to_unit = 2 / (grid.width - 1)
    step = torch.arange(grid.width) * to_unit - 1
    for steps, lying in zip(
        by_row_and_column(theta, t, grid), (image, image.transpose(2, 3)), strict=True
    ):
        # `[r size 2]`: at each step a whole coordinate along, and a fractional one across the ray.
        x = steps.across(grid.width, image.dtype) * to_unit - 1
        points = torch.stack([x, step.to(x).expand_as(x)], -1).to(image.device)
        samples = F.grid_sample(
            lying, points.expand(len(image), -1, -1, -1), padding_mode="zeros", align_corners=True
        )
        # Sum over the steps, times the length of a step in cm.
        sums[:, :, steps.ray] = samples.sum(-1) * steps.length.to(image)
    return sums.reshape(len(image), 1, len(views), geometry.bins)


def _rays_project(image: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    square, padding = grid.squared()
    image = F.pad(image, padding)
    parts = [_rays_views(image, geometry, square, v) for v in _rays_chunks(geometry, grid)]
    return torch.cat(parts, 2)


def _rays_backproject(sinogram: Tensor, geometry: Geometry, grid: Grid) -> Tensor:
    square, (left, _, top, _) = grid.squared()
    image = sinogram.new_zeros(len(sinogram), 1, square.height, square.width)
    for views in _rays_chunks(geometry, grid):
        # The adjoint is what autograd makes of the projection: exact, and nothing to keep in step.
        project_views = partial(_rays_views, geometry=geometry, grid=square, views=views)
        image += vjp(project_views, torch.zeros_like(image), sinogram[:, :, views], strict=True)[1]
    return image[..., top : top + grid.height, left : left + grid.width]
