"""What the page's script needs: windows by key, and the HU of the slices that are shown."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from unmetal.display.look import PRESETS, Box, PanelStyle, Window
from unmetal.display.sheet import LABEL
from unmetal.files.header import window
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import in_air
from unmetal.reduction.report.shown_slices import CHANGE
from unmetal.reduction.report.slice_values import pack_slices

SCRIPTS = ("page_pictures.js", "page_viewer.js")


def scripted(reduced: Reduced, pictures: list[dict[str, Any]], style: PanelStyle) -> dict[str, Any]:
    """Names of the template, and `page_data`, which is JSON for the script.

    pictures: of the slices, with `number` (from 1) and `title`. style: theirs.
    """
    own = window(reduced.source)
    windows = [*PRESETS.values(), None if own is None else Window(*own)]
    pairs = [
        tuple(panels.crop(in_air(its, one["number"] - 1), style.box) for its in both)
        for both in [(reduced.source, reduced.volume)]
        for one in pictures
    ]
    packed = pack_slices([(before, after) for before, after in pairs])
    shrink = 1 if packed is None else packed.shrink

    def packed_box(box: Box) -> str:
        """Row, column, rows and columns of a box among the packed pixels."""
        corner = ((box.top - style.box.top) // shrink, (box.left - style.box.left) // shrink)
        size = (-(-(box.bottom - box.top) // shrink), -(-(box.right - box.left) // shrink))
        return " ".join(map(str, (*corner, *size)))

    text = script()
    names: dict[str, Any] = {
        "script": Markup(text),
        "script_hash": script_hash(text),
        "windows": windows,
        "window_names": [*PRESETS, own_name(own)],
        "packed_box": packed_box,
        "step": 1 if packed is None else packed.step,
        "shrink": shrink,
        "hu_texts": [],
        "page_data": None,
    }
    if packed is None:
        return names
    height = (style.box.bottom - style.box.top) * style.pixel[0]
    width = (style.box.right - style.box.left) * style.pixel[1]
    names["page_data"] = {
        "windows": [None if one is None else one._asdict() for one in windows],
        "window": style.window._asdict(),
        "rows": packed.rows,
        "columns": packed.columns,
        "step": packed.step,
        "shrink": shrink,
        "top": style.box.top,
        "left": style.box.left,
        "width": width,
        "height": height,
        "leastPixels": panels.LEAST_PX,
        "label": LABEL,
        "legends": legends(pictures, style),
        "slices": [{"number": one["number"], "title": one["title"]} for one in pictures],
    }
    names["hu_texts"] = [
        (one["number"], text) for one, text in zip(pictures, packed.texts, strict=True)
    ]
    return names


def legends(pictures: list[dict[str, Any]], style: PanelStyle) -> dict[str, str]:
    """What the colours mean, by the name of a coloured picture."""
    light = f"0 HU is black, {panels.DOUBT_HU:.0f} HU and more is light"
    change = f"blue fell, orange rose, full at {style.diff_limit:g} HU"
    colored = [panel.name for one in pictures for panel in one["panels"] if not panel.values]
    return {name: f"{name}: {change if name == CHANGE else light}" for name in colored}


def own_name(own: tuple[float, float] | None) -> str:
    """What the button of the header's window says."""
    return "DICOM's own" if own is None else f"DICOM's own {own[0]:g}/{own[1]:g}".replace("-", "−")


def script_hash(text: str) -> str:
    """By which the page's content security policy lets this script run, and no other one."""
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


@cache
def script() -> str:
    """The script of the page: its parts in one scope of their own."""
    folder = files("unmetal.reduction.report") / "templates"
    parts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "".join(['"use strict";\n(() => {\n', *parts, "})();\n"])
