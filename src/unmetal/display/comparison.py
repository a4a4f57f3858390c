"""Before, after and the difference in one figure: HU arrays in, a matplotlib `Figure` out.

The layout is in inches (`display.sheet`), so that pixels keep their shape whatever the slice's.
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

from unmetal.display.look import Box, PanelStyle
from unmetal.display.sheet import LABEL, METAL, axes_at, write

PAPER, INK, WARNING = "black", "0.85", "#ffcc00"
FELL, ROSE, UNCHANGED = "#4da6ff", "#ffb000", "0.10"
"""Colours of HU that fell, rose and stayed: apart for the colour-blind, and from the red metal."""

PANEL, GAP, HEAD, FOOT, BAR, RIGHT = (4.4, 0.10, 0.42, 0.34, 0.12, 1.05)
"""inches: width of a panel, between panels, above all, below all, width of the colour bar, room
for it and its label."""


class Panel(NamedTuple):
    """One picture of a figure."""

    name: str
    hu: np.ndarray
    """`[H W]`, HU, or a difference of HU."""
    difference: bool = False


def comparison(
    before: np.ndarray,
    after: np.ndarray,
    metal: np.ndarray,
    style: PanelStyle,
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
    truth: HU `[H W]`; adds a row with it and the errors before and after.
    """
    first, second = names
    change = Panel(f"{second} − {first}", after - before, difference=True)
    rows = [[Panel(first, before), Panel(second, after), change]]
    styles = [style]
    if close_up is not None:
        rows.append([panel._replace(name=f"{panel.name}, close up") for panel in rows[0]])
        styles.append(replace(style, box=close_up, edges=None))
    if truth is not None:
        named = zip(names, (before, after), strict=True)
        errors = [Panel(f"{name} − truth", hu - truth, difference=True) for name, hu in named]
        rows.append([Panel("truth", truth), *errors])
        styles.append(style)

    figure = _sheet(styles, title)
    top = HEAD
    for panels, its in zip(rows, styles, strict=True):
        for column, panel in enumerate(panels):
            axes = _axes(figure, column, top, its, panel.name)
            _paint(axes, panel, its, metal, body)
            if column == 0:
                _scale_bar(axes, its)
            if close_up is not None and panels is rows[0]:
                _frame(axes, close_up)
        _color_bar(figure, top, its)
        top += PANEL * its.aspect + GAP
    return figure


def difference_colors(style: PanelStyle) -> ScalarMappable:
    """HU of change to colour: none within `deadband`, full at `diff_limit`, on either side of 0."""
    # The scale runs from 0 to 1 with no change at 0.5: the deadband is `half` to either side.
    half = style.deadband / style.diff_limit / 2
    stops = [(0, FELL), (0.5 - half, UNCHANGED), (0.5 + half, UNCHANGED), (1, ROSE)]
    colors = LinearSegmentedColormap.from_list("difference", stops, N=801)
    return ScalarMappable(Normalize(-style.diff_limit, style.diff_limit), colors)


def _sheet(styles: list[PanelStyle], title: str) -> Figure:
    """An empty figure with its title and note, as large as its rows of panels need."""
    width = GAP + 3 * (PANEL + GAP) + RIGHT
    height = HEAD + sum(PANEL * style.aspect + GAP for style in styles) + FOOT
    figure = Figure(figsize=(width, height), dpi=120, facecolor=PAPER)
    write(figure, GAP, 0.13, title, color="white", size=13, va="top")
    write(figure, width - GAP, 0.15, LABEL, color=WARNING, size=11, va="top", ha="right")
    style = styles[0]
    note = (
        f"Window W {style.window.width:g} L {style.window.level:g} HU.   Metal outlined in red.   "
        f"Differences from −{style.diff_limit:g} to +{style.diff_limit:g} HU; "
        f"less than {style.deadband:g} HU is not coloured."
    )
    write(figure, GAP, height - 0.11, note, color=INK, size=10, va="bottom")
    return figure


def _axes(figure: Figure, column: int, top: float, style: PanelStyle, name: str) -> Axes:
    """Axes of a panel, `top` inches below the upper edge, with its name, label and letters."""
    left = GAP + column * (PANEL + GAP)
    axes = axes_at(figure, left, top, PANEL, PANEL * style.aspect, facecolor=PAPER)
    axes.spines[:].set_edgecolor("0.35")
    _write_on(axes, 0.02, 0.97, name, color="white", va="top", size=11)
    _write_on(axes, 0.02, 0.02, LABEL.lower(), color=WARNING, va="bottom", size=7.5)
    if style.edges:
        _write_on(axes, 0.015, 0.5, style.edges.left, va="center")
        _write_on(axes, 0.985, 0.5, style.edges.right, va="center", ha="right")
        _write_on(axes, 0.5, 0.98, style.edges.top, va="top", ha="center")
        _write_on(axes, 0.5, 0.02, style.edges.bottom, va="bottom", ha="center")
    return axes


def _write_on(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text at (x, y), shares of the panel, with a dark rim that keeps it legible on bone."""
    rim = [withStroke(linewidth=2, foreground=PAPER)]
    merged: dict[str, Any] = {"color": INK, "size": 10, "path_effects": rim} | style
    axes.text(x, y, text, transform=axes.transAxes, **merged)


def _paint(
    axes: Axes, panel: Panel, style: PanelStyle, metal: np.ndarray, body: np.ndarray | None
) -> None:
    """The picture, and the outlines of metal and body on it."""
    if panel.difference:
        colors = difference_colors(style)
        cmap, clim = colors.get_cmap(), colors.get_clim()
    else:
        cmap, clim = colormaps["gray"], style.window.limits
    axes.imshow(panel.hu, cmap=cmap, clim=clim, aspect="auto", interpolation="bilinear")
    if panel.difference and body is not None:
        _outline(axes, body, "0.55", 0.5)
    _outline(axes, metal, METAL, 1.0)
    axes.set_xlim(style.box.left - 0.5, style.box.right - 0.5)
    axes.set_ylim(style.box.bottom - 0.5, style.box.top - 0.5)  # row 0 is at the top


def _outline(axes: Axes, mask: np.ndarray, color: str, width: float) -> None:
    """A line along the edge of a mask, bool `[H W]`."""
    if mask.any() and not mask.all():
        axes.contour(mask.astype(float), levels=[0.5], colors=color, linewidths=width)


def _frame(axes: Axes, box: Box) -> None:
    """A dashed frame around the part that the next row shows larger."""
    x = [box.left, box.right, box.right, box.left, box.left]
    y = [box.top, box.top, box.bottom, box.bottom, box.top]
    axes.plot(x, y, color=INK, linewidth=0.7, linestyle=(0, (4, 3)))


def _scale_bar(axes: Axes, style: PanelStyle) -> None:
    """A bar of 5 cm, or of 1 cm where the panel is less than 20 cm wide."""
    columns = style.box.right - style.box.left
    cm = 5 if columns * style.pixel[1] > 200 else 1
    length = 10 * cm / style.pixel[1] / columns
    axes.plot([0.97 - length, 0.97], [0.035] * 2, color="white", lw=2, transform=axes.transAxes)
    _write_on(axes, 0.97 - length / 2, 0.05, f"{cm} cm", va="bottom", ha="center", size=8)


def _color_bar(figure: Figure, top: float, style: PanelStyle) -> None:
    """The scale of the differences, right of the row that begins `top` inches down."""
    left = GAP + 3 * (PANEL + GAP) + 0.02
    axes = axes_at(figure, left, top + GAP, BAR, PANEL * style.aspect - 2 * GAP)
    limit, deadband = style.diff_limit, style.deadband
    ticks = [-limit, -limit / 2, -deadband, deadband, limit / 2, limit]
    bar = figure.colorbar(difference_colors(style), cax=axes, ticks=ticks)
    bar.ax.set_yticklabels([f"{tick:+g}".replace("-", "−") for tick in ticks])
    bar.ax.tick_params(colors=INK, labelsize=9, length=2)
    bar.outline.set_edgecolor("0.35")
    bar.set_label("difference (HU)", color=INK, size=9, labelpad=5)
