"""Which slices a page shows large, all of them small, and what is drawn of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from unmetal.display.look import Box, PanelStyle, box_around, edges_of, zoom_box
from unmetal.files.header import orientation, slice_labels
from unmetal.physics.derive import body_mask
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import Changes, SliceChanges, in_air
from unmetal.reduction.report.panels import Panel
from unmetal.reduction.report.wording import hu, ml, percent

MOST = 12
"""Slices shown large: each weighs about 0.4 MB, and nobody scrolls through a hundred."""


@dataclass(frozen=True)
class Shown:
    """A slice with its pictures side by side."""

    number: int
    """From 1."""
    title: str
    said: str
    panels: tuple[Panel, ...]
    close: tuple[Panel, ...] = ()
    """The same around the metal."""


@dataclass(frozen=True)
class Thumbnail:
    """A slice in the strip of all slices."""

    number: int
    picture: str
    """`data:` URI."""
    amount: float | None
    """Mean amount of change in the body, HU; None where nothing was changed."""
    share: int
    """Of the largest amount of any slice, per cent."""
    linked: bool
    """Whether the slice is shown large."""


def amount(one: SliceChanges) -> float:
    """Mean amount of change in the body of a slice, HU."""
    return float(one.tally.absolute.sum() / max(1, one.tally.voxels.sum()))


def visible(one: SliceChanges) -> float:
    """Share of the body of a slice that changed visibly."""
    return float(one.tally.visible.sum() / max(1, one.tally.voxels.sum()))


def chosen(found: Changes, most: int = MOST) -> list[SliceChanges]:
    """At most `most` slices, in their order: those with the largest changes, the most metal and the
    most disagreement, the rest evenly between them."""
    if len(found.slices) <= most:
        return list(found.slices)
    ranks = [amount, visible, lambda one: one.metal, lambda one: one.doubtful]
    first = [max(found.slices, key=rank).index for rank in ranks]
    first += [max(found.slices, key=lambda one: float(-one.tally.fall.min())).index]
    even = np.linspace(0, len(found.slices) - 1, most).round().astype(int)
    wanted = list(dict.fromkeys([*first, *(found.slices[place].index for place in even)]))
    return [one for one in found.slices if one.index in wanted[:most]]


def bodies(reduced: Reduced, slices: list[SliceChanges]) -> dict[int, np.ndarray]:
    """Index of a slice -> the body in it, bool `[H W]`."""
    pixel = reduced.source.spacing[2]
    places = (one.index for one in slices)
    return {place: body_mask(in_air(reduced.volume, place), pixel) for place in places}


def view(reduced: Reduced, inside: Mapping[int, np.ndarray]) -> PanelStyle:
    """One frame around the bodies of all slices, so that their pictures can be compared."""
    source = reduced.source
    pixel = source.spacing[1:]
    mask = np.zeros(source.hu.shape[1:], bool)
    for place, body in inside.items():
        mask |= body | reduced.metal[place]
    cosines = orientation(source)
    return PanelStyle(box_around(mask), pixel, edges=None if cosines is None else edges_of(cosines))


def shown(reduced: Reduced, one: SliceChanges, body: np.ndarray, look: PanelStyle) -> Shown:
    """Before, after, the difference and, where there is one, the disagreement."""
    place = one.index
    name = slice_labels(reduced.source)[place]
    known = f" ({name})" if name else ""
    title = f"slice {place + 1} of {len(reduced.source.hu)}{known}"
    return Shown(place + 1, title, _said(one, reduced), row_of(reduced, place, body, look))


def row_of(reduced: Reduced, place: int, body: np.ndarray, look: PanelStyle) -> tuple[Panel, ...]:
    """The pictures of the slice at `place`, with its body, bool `[H W]`."""
    before, after = in_air(reduced.source, place), in_air(reduced.volume, place)
    metal = reduced.metal[place]
    row = [
        panels.grey("before", before, metal, look),
        panels.grey("after", after, metal, look, ringed=True),
        panels.difference("after − before", after - before, metal, body, look),
    ]
    if reduced.disagreement is not None:
        row.append(panels.doubt("disagreement", reduced.disagreement[place], metal, body, look))
    return tuple(row)


def close_up(
    reduced: Reduced, one: SliceChanges, body: np.ndarray, look: PanelStyle
) -> tuple[Panel, ...]:
    """The same pictures of the surroundings of the slice's largest piece of metal."""
    pieces, count = ndimage.label(reduced.metal[one.index], np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    largest = pieces == 1 + int(sizes[1:].argmax())
    closer = replace(look, box=zoom_box(largest, look.box), edges=None)
    return row_of(reduced, one.index, body, closer)


def _said(one: SliceChanges, reduced: Reduced) -> str:
    voxel_ml = float(np.prod(reduced.source.spacing)) / 1000
    return (
        f"metal {ml(one.metal * voxel_ml)}; {percent(visible(one))} of the body changed visibly; "
        f"{hu(amount(one))} on average, {hu(one.tally.fall.min())} to "
        f"{hu(one.tally.rise.max(), signed=True)}"
    )


def strip(reduced: Reduced, found: Changes, large: list[SliceChanges]) -> list[Thumbnail]:
    """Every slice, small."""
    _, rows, columns = reduced.volume.hu.shape
    look = PanelStyle(Box(0, rows, 0, columns), reduced.source.spacing[1:])
    amounts = {one.index: amount(one) for one in found.slices}
    peak = max(amounts.values(), default=0.0) or 1.0
    linked = {one.index for one in large}
    return [
        Thumbnail(
            number=place + 1,
            picture=panels.thumbnail(in_air(reduced.volume, place), reduced.metal[place], look),
            amount=amounts.get(place),
            share=round(100 * amounts.get(place, 0.0) / peak),
            linked=place in linked,
        )
        for place in range(len(reduced.volume.hu))
    ]
