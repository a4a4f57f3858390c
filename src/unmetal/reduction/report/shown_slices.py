"""The pictures of a page: a choice of slices large, all of them as thumbnails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from unmetal.display.look import (
    SOFT_TISSUE,
    Box,
    PanelStyle,
    Window,
    box_around,
    edges_of,
    zoom_box,
)
from unmetal.files.header import orientation, slice_labels, window
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import Changes, SliceChanges, in_air
from unmetal.reduction.report.format import counted, hu, ml, percent
from unmetal.reduction.report.panels import Panel

MOST = 12
"""Slices shown large: each weighs about 0.5 MB, and nobody scrolls through a hundred."""

CHANGE = "after − before"
"""Name of the picture of the difference."""

UNTOUCHED = 4
"""Slices without metal to correct that are shown for what was left alone in them, at most."""


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


def choose_untouched(reduced: Reduced, room: int) -> list[int]:
    """Indices of at most `room` slices without metal to correct: those whose objects that were left
    alone come nearest to being corrected."""
    ranked = sorted(
        (one for one in reduced.objects if not one.corrected_slices),
        key=lambda one: -one.strength_hu / max(one.bound_hu, 1.0),
    )
    affected = set(reduced.affected.tolist())
    middles = (one.slices[len(one.slices) // 2] for one in ranked)
    chosen = dict.fromkeys(place for place in middles if place not in affected)
    return sorted([*chosen][: min(room, UNTOUCHED)])


def common_style(reduced: Reduced, slices: list[SliceChanges], untouched: list[int]) -> PanelStyle:
    """The style of all large pictures: one frame around all bodies, so that slices compare, and the
    window of the header, or that of soft tissue."""
    source = reduced.source
    mask = np.zeros(source.hu.shape[1:], bool)
    for one in slices:
        mask |= one.body | reduced.metal[one.index]
    for place in untouched:
        mask |= reduced.bodies[place]
    cosines, own = orientation(source), window(source)
    return PanelStyle(
        box_around(mask),
        source.spacing[1:],
        window=SOFT_TISSUE if own is None else Window(*own),
        edges=None if cosines is None else edges_of(cosines),
    )


def slice_pictures(reduced: Reduced, one: SliceChanges, style: PanelStyle) -> dict[str, Any]:
    """A slice with its number (from 1), title, caption and pictures side by side."""
    return {
        "number": one.index + 1,
        "title": _title(reduced, one.index),
        "caption": f"metal {ml(one.metal * reduced.source.voxel_ml)}; "
        f"{percent(visible_share(one))} of the body changed visibly; "
        f"{hu(mean_abs_change(one))} on average, {hu(one.stats.fall.min())} to "
        f"{hu(one.stats.rise.max(), signed=True)}",
        "panels": panel_row(reduced, one, style),
    }


def untouched_pictures(reduced: Reduced, place: int, style: PanelStyle) -> dict[str, Any]:
    """A slice in which nothing was corrected, like `slice_pictures`, in one picture."""
    hu, none = in_air(reduced.source, place), np.zeros(reduced.source.hu.shape[1:], bool)
    alone = [one for one in reduced.objects if place in one.slices]
    name = "before and after, the same"
    return {
        "number": place + 1,
        "title": _title(reduced, place),
        "caption": f"nothing was changed; {counted(len(alone), 'dense object')} left alone",
        "panels": (panels.gray(name, hu, none, style, alone=_alone(reduced, place)),),
    }


def preview(reduced: Reduced, place: int, style: PanelStyle) -> str:
    """A slice for the list of an archive: before and after, or once where nothing was changed; in
    the window of soft tissue, in which most artifacts are seen."""
    before, after = in_air(reduced.source, place), in_air(reduced.volume, place)
    shown = [before, after] if (before != after).any() else [before]
    return panels.preview(shown, replace(style, window=SOFT_TISSUE))


def _title(reduced: Reduced, place: int) -> str:
    name = slice_labels(reduced.source)[place]
    return f"slice {place + 1} of {len(reduced.source.hu)}{f' ({name})' if name else ''}"


def _alone(reduced: Reduced, place: int) -> np.ndarray | None:
    """bool `[H W]`: dense objects that were left alone in a slice."""
    return None if reduced.left_alone is None else reduced.left_alone[place]


def panel_row(reduced: Reduced, one: SliceChanges, style: PanelStyle) -> tuple[Panel, ...]:
    """Before, after, the difference and, where there is one, the disagreement or the error that
    the method expects."""
    place, body, metal = one.index, one.body, reduced.metal[one.index]
    before, after = in_air(reduced.source, place), in_air(reduced.volume, place)
    row = (
        panels.gray("before", before, metal, style, alone=_alone(reduced, place)),
        panels.gray("after", after, metal, style, ringed=True, alone=_alone(reduced, place)),
        panels.difference(CHANGE, after - before, metal, body, style),
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


def strip(
    reduced: Reduced, found: Changes, large: set[int], shown: Window
) -> Iterator[dict[str, Any]]:
    """Every slice as a thumbnail, with its mean amount of change in HU (None where nothing was
    changed), its share of the largest amount in per cent, and whether it is one of those that are
    shown `large`, by index. shown: the window."""
    _, rows, columns = reduced.volume.hu.shape
    style = PanelStyle(Box(0, rows, 0, columns), reduced.source.spacing[1:], window=shown)
    amounts = {one.index: mean_abs_change(one) for one in found.slices}
    peak = max(amounts.values(), default=0.0) or 1.0
    for place in range(len(reduced.volume.hu)):
        yield {
            "number": place + 1,
            "picture": panels.thumbnail(in_air(reduced.volume, place), reduced.metal[place], style),
            "amount": amounts.get(place),
            "share": round(100 * amounts.get(place, 0.0) / peak),
            "linked": place in large,
        }
