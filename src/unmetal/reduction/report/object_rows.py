"""The objects that could be metal, as the page lists them: a picture, the decision and why."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from unmetal.display.look import Box, PanelStyle, Window
from unmetal.reduction.metal_objects import MetalObject
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import in_air
from unmetal.reduction.report.format import mm3, slices

LISTED, PICTURED = 40, 24
"""Objects on the page, and those with a picture: dense contrast medium can make hundreds."""

WIDTH_MM = 60.0
"""Width of the picture of an object, unless the object itself is wider."""

WINDOW = Window(3000, 700)
"""Shows soft tissue, bone and metal apart."""


def object_rows(reduced: Reduced, shown: Container[int]) -> list[dict[str, Any]]:
    """A row for each object: what was corrected first, then what came nearest to it.

    shown: indices of the slices that the page shows large, for a link.
    """
    ordered = sorted(
        reduced.objects,
        key=lambda one: (not one.corrected_slices, -one.strength_hu / max(one.bound_hu, 1.0)),
    )
    return [
        {
            "number": one.number,
            "corrected": bool(one.corrected_slices),
            "decision": one.decision,
            "why": one.reason[:1].upper() + one.reason[1:],
            "where": where(one),
            "open": next((place + 1 for place in _places(one) if place in shown), None),
            "volume": mm3(one.volume_mm3),
            "peak_hu": one.peak_hu,
            "picture": object_picture(reduced, one) if row < PICTURED else "",
        }
        for row, one in enumerate(ordered[:LISTED])
    ]


def where(one: MetalObject) -> str:
    """`slices 2 to 12, corrected in slices 3 to 12`: its slices, and those that were corrected."""
    text = slices(one.slices)
    if one.corrected_slices and one.corrected_slices != one.slices:
        text += f", corrected in {slices(one.corrected_slices)}"
    return text


def object_picture(reduced: Reduced, one: MetalObject) -> str:
    """The slice in the middle of an object, about its center, before; a PNG as a `data:` URI."""
    place = _places(one)[0]
    hu, alone = in_air(reduced.source, place), reduced.left_alone
    dense = reduced.metal[place] if alone is None else reduced.metal[place] | alone[place]
    half = round(WIDTH_MM / 2 / reduced.source.spacing[2])
    row, column = (round(x) for x in one.center[1:])
    box = Box(*_within(row, half, hu.shape[0]), *_within(column, half, hu.shape[1]))
    style = PanelStyle(box, reduced.source.spacing[1:], window=WINDOW)
    return panels.small_picture(hu, _nearest_piece(dense, row, column), replace(style, edges=None))


def _nearest_piece(dense: np.ndarray, row: int, column: int) -> np.ndarray:
    """bool `[H W]`: the piece of a mask, bool `[H W]`, that is nearest to a pixel."""
    pieces, count = ndimage.label(dense, np.ones((3, 3)))
    if not count:
        return dense
    rows, columns = np.nonzero(dense)
    nearest = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
    return np.asarray(pieces == pieces[rows[nearest], columns[nearest]])


def _places(one: MetalObject) -> list[int]:
    """Its slices, those that were corrected first, from the middle outwards."""
    middle = float(np.mean(one.corrected_slices or one.slices))
    return sorted(
        one.slices, key=lambda place: (place not in one.corrected_slices, abs(place - middle))
    )


def _within(center: int, half: int, length: int) -> tuple[int, int]:
    """A range of 2 * half about the center, moved into 0 to length."""
    first = max(0, min(center - half, length - 2 * half))
    return first, min(length, first + 2 * half)
