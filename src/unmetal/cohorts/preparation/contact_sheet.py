"""The contact sheet of a cohort: affected, clean and nearly used slices, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from unmetal.cohorts.preparation.assemble import Group
from unmetal.cohorts.preparation.manifest import Row
from unmetal.display.look import Window
from unmetal.display.sheet import LABEL, PAPER, axes_at, show_slice, write
from unmetal.units import METAL_HU

NAME = "contact_sheet.png"

BROAD = Window(1500, 200)
"""From lung to bone, so that streaks, fat and metal are seen at once."""

ACROSS, PANEL, GAP, TITLE, NUMBERS, FOOT = (6, 1.6, 0.06, 0.34, 0.18, 0.3)
"""Panels side by side; inches: side of a panel, between panels, above a group, below a panel,
below all."""


def contact_sheet(groups: Sequence[Group]) -> Figure:
    """The slices of each group, with the numbers that the rule judged them by."""
    lines = [-(-len(group.slices) // ACROSS) for group in groups]
    height = FOOT + sum(TITLE + count * (PANEL + NUMBERS) for count in lines)
    width = GAP + ACROSS * (PANEL + GAP)
    figure = Figure(figsize=(width, height), dpi=120, facecolor=PAPER)
    top = 0.0
    for group, count in zip(groups, lines, strict=True):
        title = f"{group.name}: {len(group.slices)} of {group.total}"
        write(figure, GAP, top + TITLE - 0.1, title, size=10)
        for number, (row, hu) in enumerate(group.slices):
            line, column = divmod(number, ACROSS)
            left = GAP + column * (PANEL + GAP)
            _panel(figure, left, top + TITLE + line * (PANEL + NUMBERS), row, hu)
        top += TITLE + count * (PANEL + NUMBERS)
    note = (
        f"Window W {BROAD.width:g} L {BROAD.level:g} HU.  Red: above {METAL_HU:g} HU as resized.  "
        f"Below: maximum and largest piece of metal at native size.  {LABEL.capitalize()}."
    )
    write(figure, GAP, height - 0.1, note, size=7)
    return figure


def _panel(figure: Figure, left: float, top: float, row: Row, hu: np.ndarray) -> None:
    """One slice, HU `[H W]`, and what it was judged by below it."""
    show_slice(axes_at(figure, left, top, PANEL, PANEL), hu, hu > METAL_HU, BROAD)
    text = f"{row.max_hu:g} HU, {row.component_px} px" + (f", {row.split}" if row.split else "")
    write(figure, left, top + PANEL + 0.13, text, size=6)
