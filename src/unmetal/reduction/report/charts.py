"""The one chart of a page: what fat and soft tissue read before and after, by distance."""

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
"""Millilitres of tissue below which its mean says nothing."""

TICK_HU = 50


@dataclass(frozen=True)
class Arrow:
    """What one tissue reads in one band: an arrow from before to after."""

    tissue: str
    y: float
    before: float
    after: float
    label: str
    """In words, for those who cannot see it."""

    @property
    def head(self) -> float:
        """Where the shaft ends, short of the dot of `after`."""
        return self.after - math.copysign(min(5.0, abs(self.after - self.before)), self.run)

    @property
    def run(self) -> float:
        """How far, and which way, the arrow goes."""
        return self.after - self.before


@dataclass(frozen=True)
class Chart:
    """All that the template draws, in the units of the drawing."""

    width: float
    height: float
    ticks: list[tuple[float, str]]
    rows: list[tuple[float, str]]
    references: list[tuple[float, str]]
    """Where each tissue is far from metal, and its name."""
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
    """Tissue, place of the band, and its numbers, where there is enough of it."""
    for tissue in LEVELS:
        for place, band in enumerate(BANDS):
            if levels[tissue][band]["ml"] >= LEAST_ML:
                yield tissue, place, levels[tissue][band]


def _y(place: int) -> float:
    return TOP + STEP * (place + 0.5)


def _label(place: int, row: dict[str, float]) -> str:
    return f"{BANDS[place]}: {row['before_hu']:.0f} HU before, {row['after_hu']:.0f} HU after"
