"""Filtered backprojection for every geometry.

Kak and Slaney, chapter 3: weigh the rays, filter each view with the band-limited ramp, and add
what each view says of a pixel, linearly interpolated between bins.
"""

import math
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.projection.geometry import Geometry, Grid
from unmetal.physics.projection.projector import Backend, apply, check_shape

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
    # In pixels, as `apply` has it.
    filtered = _filter_views(sinogram, geometry.scaled(1 / grid.pixel), kernel) / grid.pixel
    return apply("gather", filtered, geometry, grid, backend)


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
