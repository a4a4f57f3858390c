"""The figure of an evaluation, for print: cases down, methods across, each with its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from unmetal.display.look import SOFT_TISSUE, Box, Window, zoom_box
from unmetal.display.sheet import INK, LABEL, PAPER, axes_at, show_slice, write
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.tables.rows import INPUT, TRUTH, Case, Row
from unmetal.units import METAL_HU

FRAME = "#ffd400"
"""Colour of the close-up's frame."""

PANEL, GAP, HEAD, FOOT, SIDE, TITLE, SCORE = (1.7, 0.05, 0.08, 0.34, 0.26, 0.19, 0.19)
"""inches: side of a panel, between panels, above and below all, left of a case for what it is,
above a panel for its name, below it for its numbers."""

LINE = TITLE + PANEL + SCORE
"""inches: height of a line of panels."""

ACROSS = 8
"""Panels side by side, at most; a case with more takes several lines."""

LETTERS = 32
"""Letters that fit beside a case; longer descriptions take two smaller lines."""

ZOOM, INSET = 4.5, 0.42
"""How many times smaller than the slice what the close-up shows is, and its share of the panel."""


def gallery(
    pictures: Pictures, rows: Sequence[Row], names: Sequence[str], window: Window = SOFT_TISSUE
) -> Figure:
    """The cases of `pictures` that there are, as `names` made them, and the truth if it is known.

    rows: where the numbers below each panel are from. A method that was not evaluated on a case
    has an empty panel.
    """
    names = [name for name in (*names, TRUTH) if name in pictures.hu]
    # Real metal has no truth; the input was kept of every case.
    reference = pictures.hu.get(TRUTH, pictures.hu[INPUT])
    cases = [case for case in pictures.wanted if case in reference]
    lines = math.ceil(len(names) / ACROSS)
    across = math.ceil(len(names) / lines)
    height = HEAD + len(cases) * lines * LINE + FOOT
    size = SIDE + across * (PANEL + GAP), height
    figure = Figure(figsize=size, dpi=200, facecolor=PAPER)
    scores = {(str(row["method"]), Case.of(row)): row for row in rows}
    for number, case in enumerate(cases):
        middle = HEAD + (number + 0.5) * lines * LINE
        _describe(figure, middle, case, scores.get((INPUT, case)))
        affected = pictures.hu[INPUT][case]
        metal = affected > METAL_HU
        zoom, corner = close_up(affected, reference[case])
        for place, name in enumerate(names):
            line, column = divmod(place, across)
            left, top = SIDE + column * (PANEL + GAP), HEAD + (number * lines + line) * LINE
            axes = axes_at(figure, left, top + TITLE, PANEL, PANEL)
            axes.spines[:].set_visible(False)
            axes.set_title(name, size=8, color=INK, pad=3)
            hu = pictures.hu[name].get(case)
            if hu is None:
                axes.text(0.5, 0.5, "not evaluated", ha="center", va="center", size=7, color="0.5")
                continue
            show_slice(axes, hu, metal, window)
            _close_up(axes, hu, metal, window, zoom, corner)
            axes.set_xlabel(_numbers(scores.get((name, case))), size=7, color=INK, labelpad=2)
    note = (
        f"Window W {window.width:g} L {window.level:g} HU.  Red: above {METAL_HU:g} HU in the "
        f"input.{'  PSNR / SSIM.' if TRUTH in pictures.hu and rows else ''}  {LABEL.capitalize()}."
    )
    write(figure, SIDE, height - 0.1, note, size=7, va="bottom")
    return figure


def close_up(affected: np.ndarray, truth: np.ndarray) -> tuple[Box, tuple[int, int]]:
    """What of a case, HU `[H W]`, to show larger, and in which corner: (0 top or 1 bottom, 0 left
    or 1 right). Centred on the metal; in the corner that hides least of the body."""
    height, width = truth.shape
    metal = affected > METAL_HU
    zoom = zoom_box(metal if metal.any() else truth == truth.max(), Box(0, height, 0, width), ZOOM)
    tall, wide = round(INSET * height), round(INSET * width)
    # Share of body that the close-up hides in each corner; 2 more where it hides its own subject.
    hidden = {}
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        rows = slice(height - tall, height) if corner[0] else slice(0, tall)
        columns = slice(width - wide, width) if corner[1] else slice(0, wide)
        above = max(rows.start, zoom.top) < min(rows.stop, zoom.bottom)
        overlaps = above and max(columns.start, zoom.left) < min(columns.stop, zoom.right)
        hidden[corner] = float((truth[rows, columns] > -500).mean()) + 2 * overlaps
    return zoom, min(hidden, key=hidden.__getitem__)


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
    show_slice(inset, hu, metal, window)
    inset.set(xticks=[], yticks=[])
    inset.set_xlim(zoom.left - 0.5, zoom.right - 0.5)
    inset.set_ylim(zoom.bottom - 0.5, zoom.top - 0.5)
    inset.spines[:].set(edgecolor=FRAME, linewidth=0.8)
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


def _describe(figure: Figure, middle: float, case: Case, row: Row | None) -> None:
    """Left of a case: which slice it is, and how much metal there is. middle: inches from above."""
    text, metal = f"slice {case.slice}", f"{row['mask_px']} px of metal" if row else ""
    long = len(text + metal) > LETTERS
    text = text + ("\n" if long else ", ") + metal if metal else text
    size = 6 if long else 8
    write(figure, SIDE / 2, middle, text, rotation=90, ha="center", va="center", size=size)
