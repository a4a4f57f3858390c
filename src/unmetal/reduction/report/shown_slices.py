"""The pictures of a page: a choice of slices large, all of them as thumbnails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from unmetal.display.look import Box, PanelStyle, box_around, edges_of, zoom_box
from unmetal.files.header import orientation, slice_labels
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import Changes, SliceChanges, in_air
from unmetal.reduction.report.format import hu, ml, percent
from unmetal.reduction.report.panels import Panel

MOST = 12
"""Slices shown large: each weighs about 0.4 MB, and nobody scrolls through a hundred."""


def mean_abs_change(one: SliceChanges) -> float:
    """Mean amount of change in the body of a slice, HU."""
    return float(one.stats.absolute.sum() / max(1, one.stats.voxels.sum()))


def visible_share(one: SliceChanges) -> float:
    """Share of the body of a slice that changed visibly."""
    return float(one.stats.visible.sum() / max(1, one.stats.voxels.sum()))


def choose_slices(found: Changes, most: int = MOST) -> list[SliceChanges]:
    """At most `most` slices, in their order: those with the largest changes, the most metal and the
    most disagreement, the rest evenly between them."""
    if len(found.slices) <= most:
        return list(found.slices)
    ranks = (
        mean_abs_change,
        visible_share,
        lambda one: one.metal,
        lambda one: one.disagreement_p99,
        lambda one: -one.stats.fall.min(),
    )
    first = [max(found.slices, key=rank).index for rank in ranks]
    even = np.linspace(0, len(found.slices) - 1, most).round().astype(int)
    wanted = list(dict.fromkeys([*first, *(found.slices[place].index for place in even)]))
    return [one for one in found.slices if one.index in wanted[:most]]


def common_style(reduced: Reduced, slices: list[SliceChanges]) -> PanelStyle:
    """The style of all large pictures: one frame around all bodies, so that slices compare."""
    source = reduced.source
    pixel = source.spacing[1:]
    mask = np.zeros(source.hu.shape[1:], bool)
    for one in slices:
        mask |= one.body | reduced.metal[one.index]
    cosines = orientation(source)
    return PanelStyle(box_around(mask), pixel, edges=None if cosines is None else edges_of(cosines))


def slice_pictures(reduced: Reduced, one: SliceChanges, style: PanelStyle) -> dict[str, Any]:
    """A slice with its number (from 1), title, caption and pictures side by side."""
    name = slice_labels(reduced.source)[one.index]
    known = f" ({name})" if name else ""
    return {
        "number": one.index + 1,
        "title": f"slice {one.index + 1} of {len(reduced.source.hu)}{known}",
        "caption": f"metal {ml(one.metal * reduced.source.voxel_ml)}; "
        f"{percent(visible_share(one))} of the body changed visibly; "
        f"{hu(mean_abs_change(one))} on average, {hu(one.stats.fall.min())} to "
        f"{hu(one.stats.rise.max(), signed=True)}",
        "panels": panel_row(reduced, one, style),
    }


def panel_row(reduced: Reduced, one: SliceChanges, style: PanelStyle) -> tuple[Panel, ...]:
    """Before, after, the difference and, where there is one, the disagreement or the error that
    the method expects."""
    place, body, metal = one.index, one.body, reduced.metal[one.index]
    before, after = in_air(reduced.source, place), in_air(reduced.volume, place)
    row = (
        panels.gray("before", before, metal, style),
        panels.gray("after", after, metal, style, ringed=True),
        panels.difference("after − before", after - before, metal, body, style),
    )
    if reduced.disagreement is not None:
        apart = reduced.disagreement[place]
        return (*row, panels.doubt("disagreement", apart, metal, body, style))
    if reduced.expected_error is not None:
        expected = reduced.expected_error[place]
        return (*row, panels.doubt("expected error", expected, metal, body, style))
    return row


def close_up(reduced: Reduced, one: SliceChanges, style: PanelStyle) -> tuple[Panel, ...]:
    """The pictures of a slice, zoomed to its largest piece of metal."""
    pieces, count = ndimage.label(reduced.metal[one.index], np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    largest = pieces == 1 + int(sizes[1:].argmax())
    closer = replace(style, box=zoom_box(largest, style.box), edges=None)
    return panel_row(reduced, one, closer)


def strip(reduced: Reduced, found: Changes, large: list[SliceChanges]) -> Iterator[dict[str, Any]]:
    """Every slice as a thumbnail, with its mean amount of change in HU (None where nothing was
    changed), its share of the largest amount in per cent, and whether it is shown large."""
    _, rows, columns = reduced.volume.hu.shape
    style = PanelStyle(Box(0, rows, 0, columns), reduced.source.spacing[1:])
    amounts = {one.index: mean_abs_change(one) for one in found.slices}
    peak = max(amounts.values(), default=0.0) or 1.0
    linked = {one.index for one in large}
    for place in range(len(reduced.volume.hu)):
        yield {
            "number": place + 1,
            "picture": panels.thumbnail(in_air(reduced.volume, place), reduced.metal[place], style),
            "amount": amounts.get(place),
            "share": round(100 * amounts.get(place, 0.0) / peak),
            "linked": place in linked,
        }
