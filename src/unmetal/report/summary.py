"""Rows of numbers to means with intervals, and to differences between methods.

A row is what `engine.evaluate` yields for one method on one case: a dict with `method`, what names
the case (`slice`, `mask`, `mask_px`, `group`) and its metrics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from unmetal.metrics.intervals import Difference, Interval, bootstrap, paired

Row = Mapping[str, str | int | float]


class Column(NamedTuple):
    """One metric of a table."""

    name: str
    """Its key in a row."""
    title: str
    unit: str = ""
    digits: int = 2
    best: int = 1
    """1 where more is better, -1 where less is, 0 where neither."""

    @property
    def head(self) -> str:
        """What stands above the column."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


COLUMNS = (
    Column("psnr", "PSNR", "dB", 2),
    Column("ssim", "SSIM", digits=3),
    Column("ssim_wang", "SSIM Wang", digits=3),
    Column("rmse_hu", "RMSE", "HU", 1, best=-1),
    Column("dice", "Dice of the metal", digits=3, best=0),
)
"""The metrics that tables show, in this order; a table leaves out those its rows do not have."""

SECONDS = Column("seconds", "seconds", "s", 3, best=-1)


class Summary(NamedTuple):
    """What some rows have in common, how many they are, and their means."""

    key: dict[str, str | int | float]
    """`{"method": "li"}`: the fields that were grouped by."""
    cases: int
    means: dict[str, Interval]
    """Name of a metric -> mean and 95 % interval; without metrics that no row of it has."""


class Comparison(NamedTuple):
    """A method and another one on the cases that both have."""

    method: str
    cases: int
    differences: dict[str, Difference]
    """Name of a metric -> method minus the other."""


def columns_of(rows: Sequence[Row], columns: Sequence[Column] = COLUMNS) -> list[Column]:
    """Those of `columns` that any row has."""
    return [column for column in columns if any(column.name in row for row in rows)]


def summary(
    rows: Sequence[Row],
    by: Sequence[str] = ("method",),
    columns: Sequence[Column] = COLUMNS,
    group: str = "group",
) -> list[Summary]:
    """Means of the rows that agree in `by`, in the order in which they first appear.

    Intervals resample whole groups, for slices of one patient are alike: `group` names the field
    that says which. Values that are NaN (a metric over no pixels) do not count.
    """
    together: dict[tuple[str | int | float, ...], list[Row]] = {}
    for row in rows:
        together.setdefault(tuple(row[name] for name in by), []).append(row)
    result = []
    for key, some in together.items():
        means = {c.name: mean for c in columns if (mean := _mean(some, c.name, group)) is not None}
        result.append(Summary(dict(zip(by, key, strict=True)), len(some), means))
    return result


def _mean(rows: Sequence[Row], name: str, group: str) -> Interval | None:
    """Mean and interval of the metric `name`; None where no row has it."""
    pairs = [(float(row[name]), row[group]) for row in rows if name in row]
    pairs = [pair for pair in pairs if not math.isnan(pair[0])]
    if not pairs:
        return None
    values, groups = zip(*pairs, strict=True)
    if not all(map(math.isfinite, values)):  # the PSNR of two equal images
        return Interval(sum(values), math.nan, math.nan)
    return bootstrap(values, groups)


def compared(
    rows: Sequence[Row],
    reference: str,
    columns: Sequence[Column] = COLUMNS,
    group: str = "group",
) -> list[Comparison]:
    """Every other method minus the one called `reference`, on the cases that both have.

    What is not finite in either (a metric over no pixels, equal images) is left out.
    """
    by_method: dict[str, dict[tuple, Row]] = {}
    for row in rows:
        by_method.setdefault(str(row["method"]), {})[_case(row)] = row
    theirs = by_method.pop(reference, {})
    result = []
    for method, its in by_method.items():
        both = [(row, theirs[case]) for case, row in its.items() if case in theirs]
        found = {c.name: one for c in columns if (one := _difference(both, c.name, group))}
        if found:
            result.append(Comparison(method, len(both), found))
    return result


def _case(row: Row) -> tuple[str, str]:
    """What names a case, among the rows of one method."""
    return str(row["slice"]), str(row.get("mask", ""))


def _difference(both: Sequence[tuple[Row, Row]], name: str, group: str) -> Difference | None:
    """Of the metric `name`; None where no pair of rows has it."""
    values = [
        (float(one[name]), float(other[name]), one[group])
        for one, other in both
        if name in one and name in other
    ]
    values = [v for v in values if math.isfinite(v[0]) and math.isfinite(v[1])]
    if not values:
        return None
    its, others, groups = zip(*values, strict=True)
    return paired(its, others, groups)
