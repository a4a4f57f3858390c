"""The chart of a page: mean HU of fat and soft tissue before and after, by distance from metal."""

from __future__ import annotations

import math
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


def levels_chart(levels: dict[str, Any]) -> dict[str, Any] | None:
    """What the template draws of `report_data`'s `levels`, in the units of the drawing; None where
    no tissue has enough voxels.

    ticks: x and HU. rows: y and name of each band. references: x of each tissue's mean HU far from
    metal, and its name. arrows: from a tissue's mean HU before to that after, with a text for
    screen readers.
    """
    shown = [
        (tissue, place, levels[tissue][band])
        for tissue in LEVELS
        for place, band in enumerate(BANDS)
        if levels[tissue][band]["ml"] >= LEAST_ML
    ]
    if not shown:
        return None
    values = [row[key] for _, _, row in shown for key in ("before_hu", "after_hu")]
    low = TICK_HU * math.floor(min(values) / TICK_HU - 0.2)
    high = TICK_HU * math.ceil(max(values) / TICK_HU + 0.2)

    def x(hu: float) -> float:
        return round(LEFT + (hu - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    step = TICK_HU * max(1, math.ceil((high - low) / TICK_HU / 8))
    ticks = [hu for hu in range(low, high + 1) if hu % step == 0]
    y = [TOP + STEP * (place + 0.5) for place in range(len(BANDS))]
    return {
        "width": WIDTH,
        "height": TOP + STEP * len(BANDS) + 26,
        "ticks": [(x(hu), f"{hu}".replace("-", "−")) for hu in ticks],
        "rows": [*zip(y, BANDS, strict=True)],
        "references": [(x(row["after_hu"]), tissue) for tissue, at, row in shown if at == FAR],
        "arrows": [
            {
                "tissue": tissue,
                "y": y[place],
                "before": x(row["before_hu"]),
                "after": x(row["after_hu"]),
                "label": f"{BANDS[place]}: {row['before_hu']:.0f} HU before, "
                f"{row['after_hu']:.0f} HU after",
            }
            for tissue, place, row in shown
        ],
    }
