"""Line integrals of images, and their exact adjoint, on a CPU or a GPU.

Both backends weigh pixels as Joseph does (IEEE Trans Med Imaging 1(3), 1982): a ray steps along
the axis it runs closer to and interpolates linearly across it. `compiled` works the weights out as
it goes, in loops that numba compiles: nothing is prepared or stored, and a slice takes half the
time of `matrix`, which keeps the weights in a sparse matrix (benchmarks/projector.py). `auto` takes
the matrix on a GPU, if it is not too large, for MATLAB's way of projecting, which has no loop, and
where numba is missing. They agree to float32 rounding.
"""

from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.projection import matrix
from unmetal.physics.projection.geometry import Geometry, Grid, MatlabParallel

Backend = Literal["auto", "compiled", "matrix"]

MATRIX_LIMIT = 1.5 * 2**30
"""Bytes above which `auto` does without a matrix on a GPU; two of each kind are kept."""

ADJOINT = {
    "project": "backproject",
    "backproject": "project",
    "gather": "scatter",
    "scatter": "gather",
}
"""The linear maps of a backend (`compiled`, `matrix`) and their transposes: `project` and `scatter`
take images to views, the others views to images."""


def project(image: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto") -> Tensor:
    """Line integrals `[B 1 V D]` of `image` `[B 1 H W]`; differentiable.

    The unit of the image times cm: 1/cm becomes dimensionless, a mask becomes cm.
    """
    check_shape(image, (grid.height, grid.width), "image")
    return grid.pixel * apply("project", image, geometry, grid, backend)


def backproject(
    sinogram: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto"
) -> Tensor:
    """The adjoint of `project`: `[B 1 V D]` -> `[B 1 H W]`; differentiable. Not an inverse."""
    check_shape(sinogram, (geometry.views, geometry.bins), "sinogram")
    return grid.pixel * apply("backproject", sinogram, geometry, grid, backend)


def check_shape(x: Tensor, shape: tuple[int, int], name: str) -> None:
    """Raises `ValueError` unless `x` is `[B 1 *shape]`."""
    if x.ndim != 4 or x.shape[1] != 1 or tuple(x.shape[2:]) != shape:
        raise ValueError(f"{name} is {tuple(x.shape)}, the geometry wants (B, 1, *{shape})")


def apply(
    operation: str, x: Tensor, geometry: Geometry, grid: Grid, backend: Backend = "auto"
) -> Tensor:
    """A linear map of `ADJOINT` on `[B 1 ...]`, with a pixel as the unit of length; differentiable,
    by its transpose."""
    # In pixels, series of any pixel size share what is worked out once.
    geometry = geometry.scaled(1 / grid.pixel)
    size = grid.squared()[0].width
    if backend == "auto":
        small = 8 * matrix.entries(geometry, size) <= MATRIX_LIMIT
        # Training machines may have torch and little else.
        backend = "matrix" if (x.is_cuda and small) or not find_spec("numba") else "compiled"
    if isinstance(geometry, MatlabParallel) and operation in ("project", "backproject"):
        backend = "matrix"
    applied: Tensor = _Linear.apply(x, operation, geometry, grid, backend)
    return applied


class _Linear(torch.autograd.Function):
    """A linear map, whose gradient is its transpose."""

    @staticmethod
    def forward(ctx, x, operation, geometry, grid, backend):  # type: ignore[no-untyped-def]
        ctx.set = (operation, geometry, grid, backend)
        square, padding = grid.squared()
        if operation in ("project", "scatter"):
            return _of(backend, operation)(F.pad(x, padding)[:, 0], geometry)[:, None]
        images = _of(backend, operation)(x[:, 0], geometry, square.width)[:, None]
        left, _, top, _ = padding
        return images[..., top : top + grid.height, left : left + grid.width]

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        operation, *rest = ctx.set
        return _Linear.apply(gradient, ADJOINT[operation], *rest), None, None, None, None


def _of(backend, operation):  # type: ignore[no-untyped-def]
    if backend == "matrix":
        return getattr(matrix, operation)
    # numba takes half a second.
    from unmetal.physics.projection import compiled  # noqa: PLC0415

    return getattr(compiled, operation)
