"""What requests ask for, checked: numbers of addresses and bodies in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from unmetal.display.look import SOFT_TISSUE, Window
from unmetal.errors import InputError
from unmetal.viewer.measurements import AXES, Point, Shape
from unmetal.viewer.records import Grid

MOST_JSON = 2**16
"""Bytes of a body in JSON."""


async def body(request: Request, most: int, what: str) -> bytes:
    """The body; raises `InputError` about `what` for one that is larger than `most` bytes."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > most:
            raise InputError(f"{what}: larger than {most} bytes")
    return bytes(held)


async def json_object(request: Request) -> dict[str, Any]:
    """The body as an object; raises `InputError` for anything else."""
    try:
        given = json.loads(await body(request, MOST_JSON, "the request"))
    except ValueError as error:
        raise InputError("the request is not JSON") from error
    if not isinstance(given, dict):
        raise InputError("the request is not an object in JSON")
    return given


def number(given: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """A finite number; raises `InputError`."""
    try:
        value = float(given[name]) if default is None or name in given else float(default)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name}: give a number") from error
    if not math.isfinite(value):
        raise InputError(f"{name}: give a finite number")
    return value


def slice_index(given: Mapping[str, Any], grid: Grid) -> int:
    """The slice `k`, the middle one by default; raises `InputError` for one that is not there."""
    count = grid.shape[0]
    index = number(given, "k", count // 2)
    if not (index.is_integer() and 0 <= index < count):
        raise InputError(f"k={index:g}: give a slice from 0 to {count - 1}")
    return int(index)


def window(given: Mapping[str, Any]) -> Window:
    """`width` and `level`, those of soft tissue by default; raises `InputError`."""
    width = number(given, "width", SOFT_TISSUE.width)
    if width <= 0:
        raise InputError(f"width={width:g}: give a width above 0 HU")
    return Window(width, number(given, "level", SOFT_TISSUE.level))


def shape(given: Mapping[str, Any]) -> Shape:
    """What is to be measured; raises `InputError`."""
    kind, plane = given.get("shape"), given.get("plane")
    if kind not in {"rectangle", "ellipse", "line"} or plane not in AXES:
        raise InputError("give a rectangle, ellipse or line in axial, coronal or sagittal")
    index = number(given, "index")
    if not index.is_integer():
        raise InputError(f"index {index:g}: give a whole number")
    return Shape(kind, plane, int(index), _point(given, "from"), _point(given, "to"))


def _point(given: Mapping[str, Any], name: str) -> Point:
    place = given.get(name)
    if not isinstance(place, list) or len(place) != 2:
        raise InputError(f"{name}: give two numbers")
    first, second = (number({name: one}, name) for one in place)
    return first, second
