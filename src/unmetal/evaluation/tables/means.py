"""Which columns tables have, and rows to means with intervals and to paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from unmetal.evaluation.tables.rows import Case, Row, write_rows
from unmetal.metrics.intervals import Difference, Interval, paired, t_interval
from unmetal.metrics.strata import BANDS_MM


class Column(NamedTuple):
    """One metric of a table."""

    name: str
    """Its key in a row."""
    title: str
    unit: str = ""
    digits: int = 2
    """Decimals that are printed."""
    best: int = 1
    """1 where more is better, -1 where less is, 0 where neither."""

    @property
    def head(self) -> str:
        """Title and unit, as the head of the column."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


COLUMNS = (
    Column("psnr", "PSNR", "dB", 2),
    Column("ssim", "SSIM", digits=3),
    Column("ssim_wang", "SSIM Wang", digits=3),
    Column("rmse_hu", "RMSE", "HU", 1, best=-1),
    Column("rmse_body", "RMSE in the body", "HU", 1, best=-1),
    Column("harmed", "harmed", "%", 1, best=-1),
    Column("helped", "helped", "%", 1),
    Column("dice", "Dice of the metal", digits=3, best=0),
    Column("flat_streak", "streaks in flat tissue", "HU", 0, best=-1),
    Column("far_change", "change beyond 40 mm", "HU", 1, best=-1),
    Column("metal_mm2", "metal", "mm²", 0, best=0),
    Column("metal_change", "change of the metal", digits=3, best=0),
)
"""The metrics of the main table, in this order; those that no row has are left out."""

AAPM = (
    Column("aapm_ct_number", "CT number", "HU", 1, best=-1),
    Column("aapm_noise", "noise", "HU", 1, best=-1),
    Column("aapm_sharpness", "sharpness", digits=3, best=-1),
    Column("aapm_streak", "streak", "HU", 0, best=-1),
    Column("aapm_similarity", "1 − SSIM", digits=4, best=-1),
    Column("aapm_metal", "metal", digits=3, best=-1),
    Column("aapm_bone", "bone", digits=3, best=-1),
    Column("aapm_proton", "proton range", digits=4, best=-1),
)
"""The eight metrics of the AAPM CT-MAR challenge, each an error: 0 is perfect."""

ENDS = (0, *map(int, BANDS_MM))
"""mm: ends of the bands of distance from metal."""

BY_DISTANCE = (
    *(Column(f"bias_{a}_{b}", f"{a}–{b} mm", "HU", 0, best=0) for a, b in pairwise(ENDS)),
    *(Column(f"rmse_{a}_{b}", f"RMSE {a}–{b} mm", "HU", 0, best=-1) for a, b in pairwise(ENDS)),
)
"""HU bias and RMSE by distance from metal."""

LESION = (
    Column("lesion_contrast", "contrast kept", digits=2, best=0),
    Column("lesion_dprime", "d′", digits=2),
)
"""Of a faint lesion beside the metal: the share of its contrast that is left, detectability."""

CLINICAL = (*AAPM, *BY_DISTANCE, *LESION)
"""The clinical measures (docs/measures.md), in tables of their own."""

SECONDS = Column("seconds", "seconds", "s", 3, best=-1)


class Summary(NamedTuple):
    """Means of the rows that agree in some fields."""

    key: dict[str, str | int | float]
    """The fields that were grouped by: `{"method": "li"}`."""
    cases: int
    """How many rows there are."""
    means: dict[str, Interval]
    """Name of a metric -> mean and 95 % interval, of the metrics that any of the rows has."""


class Comparison(NamedTuple):
    """A method minus the reference, on the cases that both have."""

    method: str
    cases: int
    differences: dict[str, Difference]
    """Name of a metric -> mean difference, 95 % interval and p-value."""


def present_columns(rows: Sequence[Row], columns: Sequence[Column] = COLUMNS) -> list[Column]:
    """Those of `columns` that any row has."""
    return [column for column in columns if any(column.name in row for row in rows)]


def summarize(
    rows: Sequence[Row], by: Sequence[str] = ("method",), columns: Sequence[Column] = COLUMNS
) -> list[Summary]:
    """Means of the patients' (`group`) means, of the rows that agree in `by`, in their order.

    Values that are NaN (a metric over no pixels) do not count.
    """
    together: dict[tuple[str | int | float, ...], list[Row]] = {}
    for row in rows:
        together.setdefault(tuple(row[name] for name in by), []).append(row)
    result = []
    for key, some in together.items():
        means = {c.name: mean for c in columns if (mean := _mean(some, c.name)) is not None}
        result.append(Summary(dict(zip(by, key, strict=True)), len(some), means))
    return result


def compare_to(
    rows: Sequence[Row], reference: str, columns: Sequence[Column] = COLUMNS
) -> list[Comparison]:
    """Every other method minus the one called `reference`, on the cases that both have.

    What is not finite in either (a metric over no pixels, equal images) is left out.
    """
    by_method: dict[str, dict[Case, Row]] = {}
    for row in rows:
        by_method.setdefault(str(row["method"]), {})[Case.of(row)] = row
    theirs = by_method.pop(reference, {})
    result = []
    for method, its in by_method.items():
        both = [(row, theirs[case]) for case, row in its.items() if case in theirs]
        found = {c.name: one for c in columns if (one := _difference(both, c.name))}
        if found:
            result.append(Comparison(method, len(both), found))
    return result


def write_summary(rows: Sequence[Row], path: Path) -> None:
    """A line for each method: `cases`, and `psnr`, `psnr_low`, `psnr_high` of each metric."""
    lines: list[Row] = []
    for key, cases, means in summarize(rows, columns=(*COLUMNS, *CLINICAL, SECONDS)):
        lines.append(key | {"cases": cases})
        for name, (mean, low, high) in means.items():
            lines[-1] |= {name: mean, f"{name}_low": low, f"{name}_high": high}
    write_rows(lines, path)


def _mean(rows: Sequence[Row], name: str) -> Interval | None:
    """Mean and interval of the metric `name`; None where no row has it."""
    pairs = [(float(row[name]), row["group"]) for row in rows if name in row]
    pairs = [pair for pair in pairs if not math.isnan(pair[0])]
    if not pairs:
        return None
    values, groups = zip(*pairs, strict=True)
    if not all(map(math.isfinite, values)):  # the PSNR of two equal images
        return Interval(sum(values), math.nan, math.nan)
    return t_interval(values, groups)


def _difference(both: Sequence[tuple[Row, Row]], name: str) -> Difference | None:
    """Difference in the metric `name`; None where no pair of rows has it."""
    values = [
        (float(one[name]), float(other[name]), one["group"])
        for one, other in both
        if name in one and name in other
    ]
    values = [v for v in values if math.isfinite(v[0]) and math.isfinite(v[1])]
    if not values:
        return None
    its, others, groups = zip(*values, strict=True)
    return paired(its, others, groups)
