"""Rebinning between fan and parallel views, by linear interpolation in angle and bin."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.projection.geometry import Fan, FanArc, Parallel


def to_parallel(sinogram: Tensor, fan: Fan, parallel: Parallel) -> Tensor:
    """Parallel views `[B 1 V D]` from those of a fan; lines outside the fan are zero.

    A whole turn measures each line twice, from either end; the two are averaged. MATLAB's
    fan2para takes one of them.
    """
    # The same line from behind: theta + pi, -t.
    theta, t = parallel.rays()
    there = _at_fan(sinogram, fan, theta, t)
    return (there + _at_fan(sinogram, fan, theta + math.pi, -t)) / 2


def _at_fan(sinogram: Tensor, fan: Fan, theta: Tensor, t: Tensor) -> Tensor:
    # The fan's ray on the line (theta, t): gamma = asin(t / source), beta = theta - gamma.
    gamma = torch.asin((t / fan.source).clamp(-1, 1))
    if isinstance(fan, FanArc):
        place = gamma / fan.pitch
    else:
        place = gamma.tan() * (fan.source / fan.pitch_at_axis)
    view = ((theta - gamma) / fan.span * fan.views) % fan.views
    # One more view, so that interpolation runs around the circle.
    circle = F.pad(sinogram, (0, 0, 0, 1), mode="circular")
    return _sample(circle, view, place + (fan.bins - 1) / 2)


def to_fan(sinogram: Tensor, parallel: Parallel, fan: Fan) -> Tensor:
    """Views of a fan `[B 1 V D]` from parallel ones over half a turn, as MATLAB's para2fan."""
    theta, t = fan.rays()
    # A fan's lines run over less than half a turn more at each end; view k + V is view k seen
    # from behind.
    turned = sinogram.flip(3)
    circle = torch.cat([turned, sinogram, turned, sinogram], 2)
    view = (theta / parallel.span + 1) * parallel.views
    return _sample(circle, view, t / parallel.pitch + (parallel.bins - 1) / 2)


def _sample(views: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """`[B 1 V D]` at fractional rows and columns (each `[v d]`), linearly; zero outside."""
    y = row * (2 / (views.shape[2] - 1)) - 1
    x = column * (2 / (views.shape[3] - 1)) - 1
    points = torch.stack([x, y], -1).to(views).expand(len(views), -1, -1, -1)
    return F.grid_sample(views, points, padding_mode="zeros", align_corners=True)
