"""Numbers as text: with a minus sign (not a hyphen), significant digits only, and the unit."""

from __future__ import annotations

import math
from collections.abc import Iterable

NONE = "–"
"""Stands where there is no number."""


def number(value: float | None, digits: int = 0, *, signed: bool = False) -> str:
    """`−1,279`; a dash for None and for what is not finite."""
    if value is None or not math.isfinite(value):
        return NONE
    rounded = round(float(value), digits) + 0.0  # no negative zero
    return f"{rounded:{'+' if signed and rounded else ''},.{digits}f}".replace("-", "−")


def hu(value: float | None, *, signed: bool = False) -> str:
    """HU without decimals, with one below 10."""
    small = value is not None and math.isfinite(value) and 0 < abs(value) < 9.95
    return f"{number(value, int(small), signed=signed)} HU"


def ml(value: float | None) -> str:
    """Milliliters with two significant digits, more where they are whole: `4.5 ml`, `0.035 ml`."""
    if value is None:
        return NONE
    if 0 < value < 0.00095:
        return "under 0.001 ml"
    # The last digit that two significant ones leave.
    digits = 0 if not value else sum(value < bound for bound in (9.95, 0.995, 0.0995))
    return f"{number(value, digits)} ml"


def percent(share: float | None) -> str:
    """A share of 1 as per cent: `24 %`, `0.3 %`, `under 0.1 %`."""
    if share is None:
        return NONE
    if 0 < share < 0.001:
        return "under 0.1 %"
    return f"{number(100 * share, 1 if 0 < share < 0.0995 else 0)} %"


def slices(indices: Iterable[int]) -> str:
    """`slice 3`, `slices 3, 4 and 9` or `slices 3 to 6 and 9`, of indices from 0."""
    places = sorted(set(indices))
    # Three or more in a row are a range; two are named.
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    names = [
        name
        for run in runs
        for name in (
            [f"{run[0] + 1} to {run[-1] + 1}"] if len(run) > 2 else [str(one + 1) for one in run]
        )
    ]
    if len(places) == 1:
        return f"slice {names[0]}"
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return f"slices {listed}"


def counted(count: int, what: str) -> str:
    """`1 slice`, `1,200 slices`."""
    return f"{number(count)} {what}{'s' * (count != 1)}"


def mm3(value: float) -> str:
    """Cubic millimeters as they are read off: `6 mm³`, `4.5 ml` from 1,000 on."""
    return ml(value / 1000) if value >= 1000 else f"{number(value, int(value < 0.95))} mm³"


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{number(seconds, 1 if seconds < 9.95 else 0)} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
