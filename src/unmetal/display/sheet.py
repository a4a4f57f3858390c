"""Figures laid out in inches, so that pixels stay square; a slice in grey with its metal in red.

A `Figure` that is made directly draws with Agg: no window opens, pyplot's state is not touched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from unmetal.display.look import Window

LABEL = "RESEARCH USE ONLY"
"""Written on every figure and panel, so that a cropped picture still says it."""

METAL = "#ff3b30"
"""Colour of metal, in every figure."""

PAPER, INK = "white", "0.1"
"""Colours of a figure for print; `comparison` has a dark one."""


def axes_at(
    figure: Figure, left: float, top: float, width: float, height: float, **style: Any
) -> Axes:
    """Axes without ticks, whose upper left corner is `left` and `top` inches from the figure's."""
    across, down = figure.get_size_inches()
    place = (left / across, 1 - (top + height) / down, width / across, height / down)
    return figure.add_axes(place, xticks=[], yticks=[], **style)


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text `left` and `top` inches from the upper left corner of the figure."""
    across, down = figure.get_size_inches()
    figure.text(left / across, 1 - top / down, text, **{"color": INK} | style)


def show_slice(axes: Axes, hu: np.ndarray, metal: np.ndarray, window: Window) -> None:
    """A slice, HU `[H W]`, in grey, and its metal, bool `[H W]`, covered in red."""
    # Interpolation would spread unclipped metal over its neighbours.
    gray = hu.astype(np.float32).clip(*window.limits)
    axes.imshow(
        gray, cmap=colormaps["gray"], clim=window.limits, aspect="auto", interpolation="bilinear"
    )
    cover = np.ma.masked_where(~metal, metal.astype(float))
    axes.imshow(cover, cmap=ListedColormap([METAL]), aspect="auto", interpolation="nearest")
