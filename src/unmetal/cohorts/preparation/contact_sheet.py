"""The contact sheet of a cohort: affected, clean and nearly used slices, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from unmetal.cohorts.preparation.assemble import Group
from unmetal.cohorts.preparation.manifest import Row
from unmetal.display.comparison import LABEL, METAL
from unmetal.display.look import Window
from unmetal.physics.derive import METAL_HU

NAME = "contact_sheet.png"

BROAD = Window(1500, 200)
"""From lung to bone, so that streaks, fat and metal are seen at once."""

PAPER, INK = "white", "0.1"

ACROSS, PANEL, GAP, TITLE, NUMBERS, FOOT = (6, 1.6, 0.06, 0.34, 0.18, 0.3)
"""Panels side by side; inches: side of a panel, between panels, above a group, below a panel,
below all."""


class Place(NamedTuple):
    """Where something is drawn, inches from the left and from the top."""

    left: float
    top: float


def write_contact_sheet(groups: Sequence[Group], folder: Path) -> None:
    """Draw the sheet into a folder."""
    contact_sheet(groups).savefig(folder / NAME)


def contact_sheet(groups: Sequence[Group]) -> Figure:
    """The slices of each group, with the numbers that the rule judged them by."""
    lines = [-(-len(group.slices) // ACROSS) for group in groups]
    height = FOOT + sum(TITLE + count * (PANEL + NUMBERS) for count in lines)
    width = GAP + ACROSS * (PANEL + GAP)
    figure = Figure(figsize=(width, height), dpi=120, facecolor=PAPER)
    top = 0.0
    for group, count in zip(groups, lines, strict=True):
        title = f"{group.name}: {len(group.slices)} of {group.total}"
        _write(figure, Place(GAP, top + TITLE - 0.1), title, 10)
        for number, (row, hu) in enumerate(group.slices):
            across, line = number % ACROSS, number // ACROSS
            left = GAP + across * (PANEL + GAP)
            _panel(figure, Place(left, top + TITLE + line * (PANEL + NUMBERS)), row, hu)
        top += TITLE + count * (PANEL + NUMBERS)
    note = (
        f"Window W {BROAD.width:g} L {BROAD.level:g} HU.  Red: above {METAL_HU:g} HU as resized.  "
        f"Below: maximum and largest piece of metal at native size.  {LABEL.capitalize()}."
    )
    _write(figure, Place(GAP, height - 0.1), note, 7)
    return figure


def _panel(figure: Figure, place: Place, row: Row, hu: np.ndarray) -> None:
    """One slice, HU `[H W]`."""
    width, height = figure.get_size_inches()
    box = (place.left / width, 1 - (place.top + PANEL) / height, PANEL / width, PANEL / height)
    axes = figure.add_axes(box, xticks=[], yticks=[])
    grey = hu.astype(np.float32).clip(*BROAD.limits)
    axes.imshow(grey, cmap=colormaps["gray"], clim=BROAD.limits, interpolation="bilinear")
    metal = np.ma.masked_where(hu <= METAL_HU, np.ones(hu.shape))
    axes.imshow(metal, cmap=ListedColormap([METAL]), interpolation="nearest")
    text = f"{row.max_hu:g} HU, {row.component_px} px" + (f", {row.split}" if row.split else "")
    _write(figure, Place(place.left, place.top + PANEL + 0.13), text, 6)


def _write(figure: Figure, place: Place, text: str, size: float) -> None:
    width, height = figure.get_size_inches()
    figure.text(place.left / width, 1 - place.top / height, text, size=size, color=INK)
