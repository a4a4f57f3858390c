"""Drawn implants: choose them, then draw them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SIZES = (2.0, 40.0)
"""mm, length of an implant's longer side: from a clip to a hip's head."""

SHORTEST = 1.5
"""mm: nothing that is implanted is thinner, seen in a slice."""


@dataclass(frozen=True)
class Implant:
    """One object in a slice."""

    row: float
    """Pixel index of its centre."""
    column: float
    length: float
    """mm along its longer side."""
    width: float
    """mm across."""
    angle: float
    """Radians from the row axis to the longer side."""
    oval: bool
    """An ellipse (a head, a rod seen end on, a filling) or a rectangle (a screw, a plate)."""


def choose_implants(body: Tensor, pixel: float, generator: torch.Generator) -> list[Implant]:
    """One to four implants with their centres inside `body` (bool `[H W]`, pixels of `pixel` mm).

    Lengths are drawn evenly on a logarithmic scale from `SIZES`, aspect ratios from 1 to 8. A
    slice without any body gets none.
    """
    places = body.nonzero()
    if len(places) == 0:
        return []

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    chosen = []
    for _ in range(int(torch.randint(1, 5, (), generator=generator))):
        row, column = places[int(torch.randint(len(places), (), generator=generator))].tolist()
        length = math.exp(uniform(math.log(SIZES[0]), math.log(SIZES[1])))
        width = max(SHORTEST, length * math.exp(-uniform(0, math.log(8))))
        # Never thinner than a pixel and a half: what is would not be seen as metal.
        width = max(width, 1.5 * pixel)
        angle, oval = uniform(0, math.pi), uniform(0, 1) < 0.6
        chosen.append(Implant(row, column, max(length, width), width, angle, oval))
    return chosen


def draw_implants(implants: list[Implant], height: int, width: int, pixel: float) -> Tensor:
    """bool `[H W]`: pixels (of `pixel` mm) whose centre lies in one of the implants."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None]
    for implant in implants:
        down, right = (rows - implant.row) * pixel, (columns - implant.column) * pixel
        cos, sin = math.cos(implant.angle), math.sin(implant.angle)
        along = (right * cos + down * sin) / (implant.length / 2)
        across = (down * cos - right * sin) / (implant.width / 2)
        if implant.oval:
            mask |= along**2 + across**2 <= 1
        else:
            mask |= (along.abs() <= 1) & (across.abs() <= 1)
    return mask
