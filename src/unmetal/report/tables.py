"""Rows of numbers to CSV and Markdown.

A row is what `engine.evaluate` yields for one method on one case: a dict with `method`, what names
the case (`slice`, `mask`, `mask_px`, `group`) and its metrics.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from unmetal.metrics.intervals import Interval, bootstrap

Row = Mapping[str, str | int | float]


class Column(NamedTuple):
    """One metric of a table."""

    name: str
    """Its key in a row."""
    title: str
    unit: str = ""
    digits: int = 2

    @property
    def head(self) -> str:
        """What stands above the column."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


COLUMNS = (
    Column("psnr", "PSNR", "dB", 2),
    Column("ssim", "SSIM", digits=3),
    Column("ssim_wang", "SSIM Wang", digits=3),
    Column("rmse_hu", "RMSE", "HU", 1),
    Column("dice", "Dice of the metal", digits=3),
)
"""The metrics that tables show, in this order; a table leaves out those its rows do not have."""


class Summary(NamedTuple):
    """What some rows have in common, how many they are, and their means."""

    key: dict[str, str | int | float]
    """`{"method": "li"}`: the fields that were grouped by."""
    cases: int
    means: dict[str, Interval]
    """Name of a metric -> mean and 95 % interval; without metrics that no row of it has."""


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


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """One line a row, fields in the order in which they first appear; every digit is kept."""
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_summary(summaries: Sequence[Summary], path: Path) -> None:
    """One line a summary: its key, `cases`, and `psnr`, `psnr_low`, `psnr_high` of each metric."""
    rows: list[Row] = []
    for key, cases, means in summaries:
        row = key | {"cases": cases}
        for name, mean in means.items():
            row |= {name: mean.mean, f"{name}_low": mean.low, f"{name}_high": mean.high}
        rows.append(row)
    write_rows(rows, path)


def markdown(summaries: Sequence[Summary], columns: Sequence[Column] = COLUMNS) -> str:
    """A table of summaries: a line each, with means and 95 % intervals."""
    shown = [c for c in columns if any(c.name in one.means for one in summaries)]
    keys = list(summaries[0].key)
    lines = [
        [*map(str, one.key.values()), str(one.cases), *(cell(one.means, c) for c in shown)]
        for one in summaries
    ]
    return grid([*keys, "cases", *(column.head for column in shown)], lines, words=len(keys))


def crossed(rows: Sequence[Row], column: Column, across: str = "mask_px") -> str:
    """A table of the means of one metric: methods down, the values of `across` to the right."""
    values = sorted({row[across] for row in rows}, key=float)
    means = {
        (one.key["method"], one.key[across]): one.means
        for one in summary(rows, ("method", across), [column])
    }
    lines = [
        [str(method), *(cell(means.get((method, v), {}), column, interval=False) for v in values)]
        for method in dict.fromkeys(row["method"] for row in rows)
    ]
    return grid([f"{column.head} at {across}", *map(str, values)], lines)


def case_by_case(rows: Sequence[Row], column: Column) -> str:
    """A table of one metric: slices down, methods to the right."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    values = {(row["slice"], row["method"]): row for row in rows}
    lines = [
        [str(slice_), *(_value(values.get((slice_, method), {}), column) for method in methods)]
        for slice_ in dict.fromkeys(row["slice"] for row in rows)
    ]
    return grid([column.head, *map(str, methods)], lines)


def _value(row: Row, column: Column) -> str:
    return f"{row[column.name]:.{column.digits}f}" if column.name in row else "–"


def cell(means: Mapping[str, Interval], column: Column, *, interval: bool = True) -> str:
    """`32.04 [31.71, 32.40]`, or a dash where there is no number."""
    if column.name not in means:
        return "–"
    mean, low, high = (f"{number:.{column.digits}f}" for number in means[column.name])
    return f"{mean} [{low}, {high}]" if interval and math.isfinite(float(low)) else mean


def grid(head: Sequence[str], lines: Iterable[Sequence[str]], words: int = 1) -> str:
    """A Markdown table, padded so that it reads well as text too; the first `words` columns are
    flush left, numbers flush right."""
    table = [list(head), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if place < words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * w if place < words else "-" * (w - 1) + ":" for place, w in enumerate(widths)]
    return "\n".join([line(table[0]), line(rule), *map(line, table[1:])]) + "\n"
