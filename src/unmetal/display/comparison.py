"""Pictures of what a method changed: arrays in, a matplotlib `Figure` out.

Nothing here opens a window or touches pyplot's global state: a `Figure` made directly draws with
Agg. The layout is in inches, so that pixels keep their shape whatever the slice's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from unmetal.display.look import Box, Look

LABEL = "RESEARCH USE ONLY"
"""Burned into every panel, so that a cropped picture still says it."""

PAPER = "black"
INK = "0.85"
METAL = "#ff3b30"
WARNING = "#ffcc00"
FELL, ROSE, STILL = ("#4da6ff", "#ffb000", "0.10")
"""Colours of HU that fell, rose and stayed: apart for the colour-blind, and from the red metal."""

PANEL, GAP, HEAD, FOOT, BAR, RIM = (4.4, 0.10, 0.42, 0.34, 0.12, 1.05)
"""inches: width of a panel, between panels, above all, below all, width of the colour bar, room
for it and its label."""


def comparison(
    before: np.ndarray,
    after: np.ndarray,
    metal: np.ndarray,
    look: Look,
    *,
    title: str = "",
    names: tuple[str, str] = ("before", "after"),
    body: np.ndarray | None = None,
    close_up: Box | None = None,
    truth: np.ndarray | None = None,
) -> Figure:
    """Before, after and the difference, metal outlined in red; HU `[H W]`, masks bool `[H W]`.

    body: drawn as a thin line on the differences, where grey values give no bearings.
    close_up: adds a row that shows this part of the first one larger.
    truth: HU `[H W]`; adds a row with it and what is wrong before and after.
    """
    rows = [_changed(before, after, names)]
    looks = [look]
    if close_up is not None:
        rows.append([panel._replace(name=f"{panel.name}, close up") for panel in rows[0]])
        looks.append(replace(look, box=close_up, edges=None))
    if truth is not None:
        rows.append(_wrong(before, after, truth, names))
        looks.append(look)

    figure = _sheet(looks, title)
    top = HEAD
    for panels, its in zip(rows, looks, strict=True):
        for place, panel in enumerate(panels):
            axes = _axes(figure, place, top, its, panel.name)
            _paint(axes, panel, its, metal, body)
            if close_up is not None and panels is rows[0]:
                _frame(axes, close_up)
        _scale_bar(figure.axes[-3], its)
        _colour_bar(figure, top, its)
        top += tall(its) + GAP
    return figure


def tall(look: Look) -> float:
    """Height of a panel, inches."""
    return PANEL * look.proportion


class Panel(NamedTuple):
    """One picture of a figure."""

    name: str
    hu: np.ndarray
    """`[H W]`, HU, or a difference of HU."""
    difference: bool = False


def _changed(before: np.ndarray, after: np.ndarray, names: tuple[str, str]) -> list[Panel]:
    """What came in, what came out, and what that changed."""
    first, second = names
    change = Panel(f"{second} − {first}", after - before, difference=True)
    return [Panel(first, before), Panel(second, after), change]


def _wrong(
    before: np.ndarray, after: np.ndarray, truth: np.ndarray, names: tuple[str, str]
) -> list[Panel]:
    """What is true, and what is wrong before and after."""
    first, second = names
    return [
        Panel("truth", truth),
        Panel(f"{first} − truth", before - truth, difference=True),
        Panel(f"{second} − truth", after - truth, difference=True),
    ]


def _sheet(looks: list[Look], title: str) -> Figure:
    """An empty figure with its head and foot, as large as its panels need."""
    width = GAP + 3 * (PANEL + GAP) + RIM
    height = HEAD + sum(tall(look) + GAP for look in looks) + FOOT
    figure = Figure(figsize=(width, height), dpi=120, facecolor=PAPER)
    window, look = looks[0].window, looks[0]
    figure.text(GAP / width, 1 - 0.13 / height, title, color="white", size=13, va="top")
    figure.text(
        1 - GAP / width, 1 - 0.15 / height, LABEL, color=WARNING, size=11, va="top", ha="right"
    )
    note = (
        f"Window W {window.width:g} L {window.level:g} HU.   Metal outlined in red.   "
        f"Differences from −{look.limit:g} to +{look.limit:g} HU; "
        f"less than {look.dead:g} HU is not coloured."
    )
    figure.text(GAP / width, 0.11 / height, note, color=INK, size=10, va="bottom")
    return figure


def _axes(figure: Figure, place: int, top: float, look: Look, name: str) -> Axes:
    """Axes for the picture at column `place`, `top` inches below the upper edge, with texts."""
    width, height = figure.get_size_inches()
    left = GAP + place * (PANEL + GAP)
    at = (left / width, 1 - (top + tall(look)) / height, PANEL / width, tall(look) / height)
    axes = figure.add_axes(at, xticks=[], yticks=[], facecolor=PAPER)
    for spine in axes.spines.values():
        spine.set_edgecolor("0.35")
    _write(axes, 0.02, 0.97, name, color="white", va="top", size=11)
    _write(axes, 0.02, 0.02, LABEL.lower(), color=WARNING, va="bottom", size=7.5)
    if look.edges:
        _write(axes, 0.015, 0.5, look.edges.left, va="center")
        _write(axes, 0.985, 0.5, look.edges.right, va="center", ha="right")
        _write(axes, 0.5, 0.98, look.edges.top, va="top", ha="center")
        _write(axes, 0.5, 0.02, look.edges.bottom, va="bottom", ha="center")
    return axes


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text at (x, y) of the panel, with a dark rim that keeps it legible on bone."""
    rim = [withStroke(linewidth=2, foreground=PAPER)]
    look: dict[str, Any] = {"color": INK, "size": 10, "path_effects": rim} | style
    axes.text(x, y, text, transform=axes.transAxes, **look)


def difference_colours(look: Look) -> ScalarMappable:
    """HU of change to colour: nothing within `dead`, full at `limit`, on either side of zero."""
    quiet = look.dead / look.limit / 2
    stops = [(0, FELL), (0.5 - quiet, STILL), (0.5 + quiet, STILL), (1, ROSE)]
    colours = LinearSegmentedColormap.from_list("difference", stops, N=801)
    return ScalarMappable(Normalize(-look.limit, look.limit), colours)


def _paint(
    axes: Axes, panel: Panel, look: Look, metal: np.ndarray, body: np.ndarray | None
) -> None:
    """The picture and the lines on it."""
    if panel.difference:
        colours = difference_colours(look)
        cmap, clim = colours.get_cmap(), colours.get_clim()
    else:
        cmap, clim = colormaps["gray"], look.window.limits
    axes.imshow(panel.hu, cmap=cmap, clim=clim, aspect="auto", interpolation="bilinear")
    if panel.difference and body is not None:
        _outline(axes, body, "0.55", 0.5)
    _outline(axes, metal, METAL, 1.0)
    axes.set_xlim(look.box.left - 0.5, look.box.right - 0.5)
    axes.set_ylim(look.box.bottom - 0.5, look.box.top - 0.5)


def _outline(axes: Axes, mask: np.ndarray, colour: str, width: float) -> None:
    """A line along the edge of what is True, bool `[H W]`."""
    if mask.any() and not mask.all():
        axes.contour(mask.astype(float), levels=[0.5], colors=colour, linewidths=width)


def _frame(axes: Axes, box: Box) -> None:
    """The part that is shown larger below."""
    x = [box.left, box.right, box.right, box.left, box.left]
    y = [box.top, box.top, box.bottom, box.bottom, box.top]
    axes.plot(x, y, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))


def _scale_bar(axes: Axes, look: Look) -> None:
    """A bar of 5 cm, or of 1 cm in a close-up."""
    columns = look.box.right - look.box.left
    cm = 5 if columns * look.pixel[1] > 200 else 1
    length = 10 * cm / look.pixel[1] / columns
    axes.plot([0.97 - length, 0.97], [0.035] * 2, color="white", lw=2, transform=axes.transAxes)
    _write(axes, 0.97 - length / 2, 0.05, f"{cm} cm", va="bottom", ha="center", size=8)


def _colour_bar(figure: Figure, top: float, look: Look) -> None:
    """The scale of the differences, beside the row that begins `top` inches down."""
    width, height = figure.get_size_inches()
    left, length = GAP + 3 * (PANEL + GAP) + 0.02, tall(look) - 2 * GAP
    at = (left / width, 1 - (top + GAP + length) / height, BAR / width, length / height)
    axes = figure.add_axes(at)
    ticks = [-look.limit, -look.limit / 2, -look.dead, look.dead, look.limit / 2, look.limit]
    bar = figure.colorbar(difference_colours(look), cax=axes, ticks=ticks)
    bar.ax.set_yticklabels([f"{tick:+g}".replace("-", "−") for tick in ticks])
    bar.ax.tick_params(colors=INK, labelsize=9, length=2)
    bar.outline.set_edgecolor("0.35")
    bar.set_label("difference (HU)", color=INK, size=9, labelpad=5)
