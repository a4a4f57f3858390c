"""What part of a slice is shown, in which window, and in which directions its edges lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Edges(NamedTuple):
    """Directions in the patient that the edges of a picture lie in: R, L, A, P, H or F each."""

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

PRESETS = {
    "soft tissue": SOFT_TISSUE,
    "bone": Window(2000, 500),
    "lung": Window(1500, -600),
    "brain": Window(80, 40),
    "metal": Window(6000, 1000),
}
"""Windows by name, in the order of the keys 1 to 5."""


class Box(NamedTuple):
    """A part of a slice: half-open ranges of rows and columns."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class PanelStyle:
    """How the panels of a figure are drawn."""

    box: Box
    """What of the slice is shown."""
    pixel: tuple[float, float] = (1.0, 1.0)
    """mm between rows and between columns."""
    window: Window = SOFT_TISSUE
    diff_limit: float = 300
    """HU at the ends of the difference's scale, which is symmetric."""
    deadband: float = 30
    """HU of change below which a difference is not coloured."""
    edges: Edges | None = AXIAL
    """None where the orientation is not known: no letters are drawn."""

    @property
    def aspect(self) -> float:
        """Height of the box over its width, both in mm."""
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
    """The letter of the axis that a direction in LPS is nearest to, and that of its opposite."""
    axis = int(np.argmax(np.abs(cosines)))
    pair = (("L", "R"), ("P", "A"), ("H", "F"))[axis]
    return pair if cosines[axis] > 0 else pair[::-1]


def box_around(mask: np.ndarray, margin: int = 8) -> Box:
    """The bounding box of a mask, bool `[H W]`, and `margin` pixels more, within the slice; the
    whole slice where the mask is empty."""
    inside = np.argwhere(mask if mask.any() else ~mask)
    top, left = np.maximum(inside.min(0) - margin, 0).tolist()
    bottom, right = np.minimum(inside.max(0) + 1 + margin, mask.shape).tolist()
    return Box(top, bottom, left, right)


def zoom_box(mask: np.ndarray, whole: Box, zoom: float = 3.0) -> Box:
    """A box `zoom` times smaller than `whole` and inside of it, centred on a mask, bool `[H W]`."""
    row, column = (round(places.mean()) for places in np.nonzero(mask))
    height = round((whole.bottom - whole.top) / zoom)
    width = round((whole.right - whole.left) / zoom)
    top = int(np.clip(row - height // 2, whole.top, whole.bottom - height))
    left = int(np.clip(column - width // 2, whole.left, whole.right - width))
    return Box(top, top + height, left, left + width)
