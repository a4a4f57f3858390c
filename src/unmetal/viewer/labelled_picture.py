"""A picture to show to others: before, after and the difference, with the label burnt in."""

from __future__ import annotations

from io import BytesIO

import numpy as np

from unmetal.display.comparison import comparison
from unmetal.display.look import Box, PanelStyle, Window, edges_of
from unmetal.viewer.marks import CORRECTED
from unmetal.viewer.records import LPS_TO_RAS, OpenSeries, Result


def labelled_picture(series: OpenSeries, result: Result, index: int, window: Window) -> bytes:
    """An axial slice as PNG, RESEARCH USE ONLY on every panel."""
    before, after = (
        np.load(path, mmap_mode="r")[index].astype(np.float32)
        for path in (series.values, result.array("corrected"))
    )
    metal = np.load(result.array("marks"), mmap_mode="r")[index] == CORRECTED
    grid = series.grid
    # The first two columns are the steps along a row and along a column.
    steps = (LPS_TO_RAS @ grid.matrix())[:3, :2]
    cosines = (steps / np.linalg.norm(steps, axis=0)).T.ravel()
    style = PanelStyle(
        box=Box(0, before.shape[0], 0, before.shape[1]),
        pixel=grid.spacing[1:],
        window=window,
        edges=edges_of(cosines.tolist()) if grid.oriented else None,
    )
    title = f"{result.title}, slice {index + 1} of {grid.shape[0]}"
    file = BytesIO()
    comparison(before, after, metal, style, title=title).savefig(file, format="png")
    return file.getvalue()
