"""A phantom of ellipses, off centre and asymmetric, with its exact line integrals."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Geometry, Grid


@dataclass(frozen=True)
class Ellipse:
    """Centre (x, y) and half axes in shares of the field's half width, tilt in radians, 1/cm."""

    x: float
    y: float
    a: float
    b: float
    tilt: float
    value: float


PHANTOM = (
    Ellipse(0.03, -0.05, 0.80, 0.60, 0.2, 0.19),
    Ellipse(-0.33, 0.17, 0.20, 0.30, -0.7, 0.05),
    Ellipse(0.35, 0.25, 0.16, 0.10, 1.1, -0.08),
    Ellipse(0.25, -0.35, 0.10, 0.12, 0.4, 0.15),
)


def project(geometry: Geometry, half_width: float, phantom: tuple[Ellipse, ...]) -> Tensor:
    """Exact line integrals `[1 1 V D]` of a phantom whose field is `half_width` cm to each side."""
    theta, t = geometry.rays()
    total = torch.zeros_like(theta)
    for e in phantom:
        x, y, a, b = (length * half_width for length in (e.x, e.y, e.a, e.b))
        away = t - x * theta.cos() - y * theta.sin()
        shadow = (a * (theta - e.tilt).cos()) ** 2 + (b * (theta - e.tilt).sin()) ** 2
        total += e.value * 2 * a * b * (shadow - away**2).clamp_min(0).sqrt() / shadow
    return total[None, None]


def paint(grid: Grid, phantom: tuple[Ellipse, ...], fine: int = 8) -> Tensor:
    """The phantom on a grid `[1 1 H W]`, each pixel the mean of `fine` x `fine` points."""
    half_width = grid.width * grid.pixel / 2
    offset = (torch.arange(fine, dtype=torch.float64) + 0.5) / fine - 0.5
    x = (grid.x()[:, None] + offset * grid.pixel).flatten()[None]
    y = (grid.y()[:, None] + offset * grid.pixel).flatten()[:, None]
    image = torch.zeros(y.numel(), x.numel(), dtype=torch.float64)
    for e in phantom:
        right, up = x - e.x * half_width, y - e.y * half_width
        along = (right * math.cos(e.tilt) + up * math.sin(e.tilt)) / (e.a * half_width)
        across = (up * math.cos(e.tilt) - right * math.sin(e.tilt)) / (e.b * half_width)
        image += e.value * (along**2 + across**2 <= 1)
    return image.reshape(grid.height, fine, grid.width, fine).mean((1, 3))[None, None]
