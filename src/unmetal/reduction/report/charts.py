"""The chart of a page: mean HU of fat and soft tissue before and after, by distance from metal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from unmetal.metrics.strata import BANDS
from unmetal.reduction.report.changes import LEVELS
from unmetal.reduction.report.findings import FAR

WIDTH, LEFT, RIGHT, TOP, STEP = 440, 92, 12, 22, 26
"""Units of the drawing: its width, room for the names of the bands, for half a number, above the
first row, and from row to row."""

LEAST_ML = 0.05
"""Milliliters of tissue below which no mean is drawn."""

TICK_HU = 50


@dataclass(frozen=True)
class Arrow:
    """The mean HU of a tissue in a band, drawn from before to after."""

    tissue: str
    y: float
    before: float
    after: float
    label: str
    """Text for screen readers."""


@dataclass(frozen=True)
class Chart:
    """All that the template draws, in the units of the drawing."""

    width: float
    height: float
    ticks: list[tuple[float, str]]
    rows: list[tuple[float, str]]
    references: list[tuple[float, str]]
    """x of each tissue's mean HU far from metal, and its name."""
    arrows: list[Arrow]


def levels_chart(levels: dict[str, Any]) -> Chart | None:
    """The chart of `report_data`'s `levels`; None where no tissue has enough voxels."""
    shown = [*_enough(levels)]
    if not shown:
        return None
    values = [row[key] for _, _, row in shown for key in ("before_hu", "after_hu")]
    low = TICK_HU * math.floor(min(values) / TICK_HU - 0.2)
    high = TICK_HU * math.ceil(max(values) / TICK_HU + 0.2)

    def x(hu: float) -> float:
        return round(LEFT + (hu - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    step = TICK_HU * max(1, math.ceil((high - low) / TICK_HU / 8))
    ticks = [hu for hu in range(low, high + 1) if hu % step == 0]
    far = [(tissue, row) for tissue, place, row in shown if place == FAR]
    return Chart(
        width=WIDTH,
        height=TOP + STEP * len(BANDS) + 26,
        ticks=[(x(hu), f"{hu}".replace("-", "−")) for hu in ticks],
        rows=[(_y(place), name) for place, name in enumerate(BANDS)],
        references=[(x(row["after_hu"]), tissue) for tissue, row in far],
        arrows=[
            Arrow(tissue, _y(place), x(row["before_hu"]), x(row["after_hu"]), _label(place, row))
            for tissue, place, row in shown
        ],
    )


def _enough(levels: dict[str, Any]) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Tissue, index of the band, and the row of `levels`, where there is enough tissue."""
    for tissue in LEVELS:
        for place, band in enumerate(BANDS):
            if levels[tissue][band]["ml"] >= LEAST_ML:
                yield tissue, place, levels[tissue][band]


def _y(place: int) -> float:
    return TOP + STEP * (place + 0.5)


def _label(place: int, row: dict[str, float]) -> str:
    return f"{BANDS[place]}: {row['before_hu']:.0f} HU before, {row['after_hu']:.0f} HU after"
