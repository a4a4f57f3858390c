"""Implants as ellipses and rectangles: drawn at random, and rasterized."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Implant:
    """One object in a slice."""

    row: float
    """Pixel index of its center."""
    column: float
    length: float
    """mm along its longer side."""
    width: float
    """mm across."""
    angle: float
    """Radians from the row axis to the longer side."""
    oval: bool
    """An ellipse (a head, a rod seen end on, a filling) or a rectangle (a screw, a plate)."""
    wall: float = 0.0
    """mm of its wall where it is hollow (a cup, a port); 0 for a solid one."""


def choose_implants(body: Tensor, pixel: float, generator: torch.Generator) -> list[Implant]:
    """One to four implants with their centers inside `body` (bool `[H W]`, pixels of `pixel` mm).

    Lengths are drawn evenly on a logarithmic scale from 2 to 40 mm (a clip, a hip's head), aspect
    ratios from 1 to 8. A slice without any body gets none.
    """
    places = body.nonzero()
    if len(places) == 0:
        return []

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    chosen = []
    for _ in range(int(torch.randint(1, 5, (), generator=generator))):
        row, column = places[int(torch.randint(len(places), (), generator=generator))].tolist()
        # Log-uniform: as many clips of 2 to 4 mm as heads of 20 to 40 mm.
        length = math.exp(uniform(math.log(2), math.log(40)))
        # Never thinner than 1.5 mm, as no implant is in a slice, nor than a pixel and a half: what
        # is would not be seen as metal.
        width = max(1.5, 1.5 * pixel, length * math.exp(-uniform(0, math.log(8))))
        angle, oval = uniform(0, math.pi), uniform(0, 1) < 0.6
        chosen.append(Implant(row, column, max(length, width), width, angle, oval))
    return chosen


def draw_implants(implants: list[Implant], height: int, width: int, pixel: float) -> Tensor:
    """bool `[H W]`: pixels (of `pixel` mm) whose center lies in one of the implants."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    for implant in implants:
        mask |= _inside(implant, rows, columns, pixel)
    return mask


def implant_share(
    implants: Iterable[Implant], height: int, width: int, pixel: float, fine: int = 5
) -> Tensor:
    """Share of each pixel that is in one of the implants, float32 `[H W]`: the mean of `fine` x
    `fine` points, so that what is thinner than a pixel is thin."""
    share = torch.zeros(height, width)
    # Centers of the `fine` parts of a pixel, relative to its own center.
    offset = (torch.arange(fine) + 0.5) / fine - 0.5
    for implant in implants:
        # Only the box around the implant is sampled.
        reach = math.hypot(implant.length, implant.width) / 2 / pixel + 1
        top, left = (max(0, math.floor(x - reach)) for x in (implant.row, implant.column))
        bottom, right = math.ceil(implant.row + reach), math.ceil(implant.column + reach)
        there = share[top : bottom + 1, left : right + 1]
        rows = (torch.arange(top, top + there.shape[0])[:, None] + offset).flatten()[:, None]
        columns = (torch.arange(left, left + there.shape[1])[:, None] + offset).flatten()[None]
        inside = _inside(implant, rows, columns, pixel).float()
        part = inside.reshape(len(there), fine, there.shape[1], fine).mean((1, 3))
        there.copy_(torch.maximum(there, part))
    return share


def _inside(implant: Implant, rows: Tensor, columns: Tensor, pixel: float) -> Tensor:
    """bool `[h w]`: which points, in pixel indices `[h 1]` and `[1 w]`, are in the implant."""
    # In mm from the center, then turned into the axes of the implant.
    down, right = (rows - implant.row) * pixel, (columns - implant.column) * pixel
    cos, sin = math.cos(implant.angle), math.sin(implant.angle)

    def within(thinner: float) -> Tensor:
        along = (right * cos + down * sin) / (implant.length / 2 - thinner)
        across = (down * cos - right * sin) / (implant.width / 2 - thinner)
        if implant.oval:
            return along**2 + across**2 <= 1
        return (along.abs() <= 1) & (across.abs() <= 1)

    solid = within(0.0)
    return solid & ~within(implant.wall) if 0 < implant.wall < implant.width / 2 else solid
