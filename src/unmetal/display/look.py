"""How a slice is shown: what part of it, in which window, and where its edges point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Edges(NamedTuple):
    """Where in the patient the edges of a picture point: R, L, A, P, H or F each."""

    left: str
    right: str
    top: str
    bottom: str


AXIAL = Edges("R", "L", "A", "P")
"""An axial slice as radiologists read it: the patient's right at the picture's left."""


class Window(NamedTuple):
    """HU that grey values show, as radiologists state it."""

    width: float = 400
    level: float = 40

    @property
    def limits(self) -> tuple[float, float]:
        """HU of black and of white."""
        return self.level - self.width / 2, self.level + self.width / 2


SOFT_TISSUE = Window()


class Box(NamedTuple):
    """A part of a slice in pixels; the ends are outside."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Look:
    """How all panels of a figure are drawn."""

    box: Box
    """What of the slice is shown."""
    pixel: tuple[float, float] = (1.0, 1.0)
    """mm between rows and between columns."""
    window: Window = SOFT_TISSUE
    limit: float = 300
    """HU at the ends of the difference's scale, which is symmetric."""
    dead: float = 30
    """HU of change below which a difference is not coloured."""
    edges: Edges | None = AXIAL
    """None draws no letters: the orientation is not known."""

    @property
    def proportion(self) -> float:
        """Height of what is shown over its width, in the patient."""
        rows, columns = self.box.bottom - self.box.top, self.box.right - self.box.left
        return rows * self.pixel[0] / (columns * self.pixel[1])


def edges_of(orientation: Sequence[float]) -> Edges:
    """Letters of the edges from the direction cosines of a row and of a column (6 numbers, LPS).

    Source: DICOM PS3.3 C.7.6.2.1.1, Image Orientation (Patient).
    """
    right, left = _letters(orientation[:3])
    bottom, top = _letters(orientation[3:])
    return Edges(left, right, top, bottom)


def _letters(cosines: Sequence[float]) -> tuple[str, str]:
    """Where a direction in LPS points most, and its opposite."""
    axis = int(np.argmax(np.abs(cosines)))
    pair = (("L", "R"), ("P", "A"), ("H", "F"))[axis]
    return pair if cosines[axis] > 0 else pair[::-1]


def box_around(mask: np.ndarray, margin: int = 8) -> Box:
    """The smallest box around a mask, bool `[H W]`, and `margin` pixels more where there are any;
    the whole slice around an empty one."""
    if not mask.any():
        return Box(0, mask.shape[0], 0, mask.shape[1])
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return Box(
        max(0, int(rows[0]) - margin),
        min(mask.shape[0], int(rows[-1]) + 1 + margin),
        max(0, int(columns[0]) - margin),
        min(mask.shape[1], int(columns[-1]) + 1 + margin),
    )


def around(mask: np.ndarray, like: Box, zoom: float = 3.0) -> Box:
    """A box of `like`'s proportions, `zoom` times smaller, about the middle of a mask, bool
    `[H W]`, and inside of `like`."""
    rows, columns = np.nonzero(mask)
    tall = round((like.bottom - like.top) / zoom)
    wide = round((like.right - like.left) / zoom)
    top = int(np.clip(round(rows.mean()) - tall // 2, like.top, like.bottom - tall))
    left = int(np.clip(round(columns.mean()) - wide // 2, like.left, like.right - wide))
    return Box(top, top + tall, left, left + wide)
