"""The figure of a comparison: cases down, methods across, each with its numbers and a close-up.

On white paper, for print; window and red of the metal are stated below. Like `figures`, it draws
without pyplot and lays out in inches, so that pixels stay square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from unmetal.display.comparison import LABEL, METAL
from unmetal.display.look import SOFT_TISSUE, Box, Window, around
from unmetal.evaluation.pictures import Case, Pictures
from unmetal.evaluation.tables.rows import INPUT, TRUTH, Row
from unmetal.physics.derive import METAL_HU

PAPER, INK, FRAME = "white", "0.1", "#ffd400"

PANEL, GAP, HEAD, FOOT, SIDE, TITLE, SCORE = (1.7, 0.05, 0.08, 0.34, 0.26, 0.19, 0.19)
"""inches: side of a panel, between panels, above and below all, left of a case for what it is,
above a panel for its name, below it for its numbers."""

ACROSS = 8
"""Panels side by side, at most; a case with more takes several lines."""

LETTERS = 32
"""Letters that fit beside a case; longer descriptions take two smaller lines."""

ZOOM, INSET = 4.5, 0.42
"""How many times smaller than the slice what the close-up shows is, and its share of the panel."""


class Sheet(NamedTuple):
    """How many panels go where."""

    across: int
    lines: int
    """Of each case."""
    cases: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        width = SIDE + self.across * (PANEL + GAP)
        return width, HEAD + self.cases * self.lines * LINE + FOOT


LINE = TITLE + PANEL + SCORE
"""inches: height of a line of panels."""


def gallery(
    pictures: Pictures,
    rows: Sequence[Row],
    names: Sequence[str],
    window: Window = SOFT_TISSUE,
) -> Figure:
    """The cases of `pictures` that there are, as `names` made them, and the truth if it is known.

    rows: where the numbers below each panel are from. A method that was not evaluated on a case
    has an empty panel.
    """
    names = [name for name in (*names, TRUTH) if name in pictures.hu]
    # Of real metal nobody knows the truth.
    sure = pictures.hu.get(TRUTH, pictures.hu[INPUT])
    cases = [case for case in pictures.wanted if case in sure]
    lines = math.ceil(len(names) / ACROSS)
    sheet = Sheet(math.ceil(len(names) / lines), lines, len(cases))
    figure = Figure(figsize=sheet.size, dpi=200, facecolor=PAPER)
    scores = {(str(row["method"]), _case(row)): row for row in rows}
    for number, case in enumerate(cases):
        _describe(figure, number, sheet, case, scores.get((INPUT, case)))
        there = {name: pictures.hu[name].get(case) for name in names}
        zoom, corner = close_up(pictures.hu[INPUT][case], sure[case])
        for place, (name, hu) in enumerate(there.items()):
            axes = _axes(figure, number * lines + place // sheet.across, place % sheet.across)
            axes.set_title(name, size=8, color=INK, pad=3)
            if hu is None:
                axes.text(0.5, 0.5, "not evaluated", ha="center", va="center", size=7, color="0.5")
                continue
            metal = pictures.hu[INPUT][case] > METAL_HU
            _paint(axes, hu, metal, window)
            _close_up(axes, hu, metal, window, zoom, corner)
            axes.set_xlabel(_numbers(scores.get((name, case))), size=7, color=INK, labelpad=2)
    _note(figure, window, "  PSNR / SSIM." if TRUTH in pictures.hu and rows else "")
    return figure


def close_up(affected: np.ndarray, truth: np.ndarray) -> tuple[Box, tuple[int, int]]:
    """What of a case to show larger, HU `[H W]`, and in which corner: (0 top or 1 bottom, 0 left or
    1 right). About the middle of the metal; in the corner that hides least."""
    height, width = truth.shape
    metal = affected > METAL_HU
    zoom = around(metal if metal.any() else truth == truth.max(), Box(0, height, 0, width), ZOOM)
    tall, wide = round(INSET * height), round(INSET * width)
    hidden = {}
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = slice(height - tall, height) if corner[0] else slice(0, tall)
        columns = slice(width - wide, width) if corner[1] else slice(0, wide)
        over = max(rows.start, zoom.top) < min(rows.stop, zoom.bottom) and max(
            columns.start, zoom.left
        ) < min(columns.stop, zoom.right)
        hidden[corner] = float((truth[rows, columns] > -500).mean()) + 2 * over
    return zoom, min(hidden, key=hidden.__getitem__)


def _case(row: Row) -> Case:
    return Case(str(row["slice"]), int(row.get("mask", 0)))


def _axes(figure: Figure, line: int, column: int) -> Axes:
    """Axes for the panel in this line and column of the sheet."""
    width, height = figure.get_size_inches()
    left, top = SIDE + column * (PANEL + GAP), HEAD + line * LINE + TITLE
    at = (left / width, 1 - (top + PANEL) / height, PANEL / width, PANEL / height)
    axes = figure.add_axes(at, xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _paint(axes: Axes, hu: np.ndarray, metal: np.ndarray, window: Window) -> None:
    """A slice, HU `[H W]`, its metal covered in red, bool `[H W]`."""
    grey = hu.astype(np.float32).clip(*window.limits)  # or metal would bleed into its neighbours
    axes.imshow(
        grey, cmap=colormaps["gray"], clim=window.limits, aspect="auto", interpolation="bilinear"
    )
    cover = np.ma.masked_where(~metal, metal.astype(float))
    axes.imshow(cover, cmap=ListedColormap([METAL]), aspect="auto", interpolation="nearest")


def _close_up(
    axes: Axes,
    hu: np.ndarray,
    metal: np.ndarray,
    window: Window,
    zoom: Box,
    corner: tuple[int, int],
) -> None:
    """Part of the slice again, larger, in a corner of its panel."""
    below, right = corner
    inset = axes.inset_axes((right * (1 - INSET), (1 - below) * (1 - INSET), INSET, INSET))
    _paint(inset, hu, metal, window)
    inset.set(xticks=[], yticks=[])
    inset.set_xlim(zoom.left - 0.5, zoom.right - 0.5)
    inset.set_ylim(zoom.bottom - 0.5, zoom.top - 0.5)
    for spine in inset.spines.values():
        spine.set(edgecolor=FRAME, linewidth=0.8)
    size = zoom.right - zoom.left, zoom.bottom - zoom.top
    from_here = zoom.left - 0.5, zoom.top - 0.5
    axes.add_patch(Rectangle(from_here, *size, fill=False, edgecolor=FRAME, linewidth=0.6))


def _numbers(row: Row | None) -> str:
    """What stands below a panel; the truth has no row."""
    if row is None:
        return ""
    if "psnr" not in row:
        return f"streaks {row['flat_streak']:.0f} HU" if "flat_streak" in row else ""
    return f"{row['psnr']:.2f} dB / {row['ssim']:.3f}"


def _describe(
    figure: Figure, number: int, sheet: Sheet, case: Case, row: Mapping[str, object] | None
) -> None:
    """Left of a case: which slice it is, and how much metal there is."""
    width, height = figure.get_size_inches()
    text, metal = f"slice {case.slice}", f"{row['mask_px']} px of metal" if row else ""
    long = len(text + metal) > LETTERS
    text = text + ("\n" if long else ", ") + metal if metal else text
    middle = HEAD + (number + 0.5) * sheet.lines * LINE
    where = (0.5 * SIDE / width, 1 - middle / height)
    figure.text(
        *where, text, rotation=90, ha="center", va="center", size=6 if long else 8, color=INK
    )


def _note(figure: Figure, window: Window, numbers: str) -> None:
    """What holds for all panels; `numbers` says what stands below them."""
    width, height = figure.get_size_inches()
    note = (
        f"Window W {window.width:g} L {window.level:g} HU.  Red: above {METAL_HU:g} HU in the "
        f"input.{numbers}  {LABEL.capitalize()}."
    )
    figure.text(SIDE / width, 0.1 / height, note, size=7, color=INK, va="bottom")
