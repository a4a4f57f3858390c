"""Means, differences and budgets as tables in Markdown, which read well as text too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unmetal.metrics.intervals import Difference, Interval
from unmetal.report.summary import COLUMNS, Column, Comparison, Row, Summary, summary

NOTHING = "–"
"""Where there is no number."""


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
    values = sorted({row[across] for row in rows}, key=lambda v: (isinstance(v, str), v))
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


def differences(comparisons: Sequence[Comparison], columns: Sequence[Column] = COLUMNS) -> str:
    """A table of differences: a line each, with 95 % intervals and p-values."""
    shown = [c for c in columns if any(c.name in one.differences for one in comparisons)]
    lines = [
        [one.method, str(one.cases), *(change(one.differences, column) for column in shown)]
        for one in comparisons
    ]
    return grid(["method", "cases", *(f"Δ {column.head}" for column in shown)], lines)


def budgets(methods: Mapping[str, Mapping[str, Any]], took: Mapping[str, Interval]) -> str:
    """A table of what methods cost: facts of `engine.cost` by name, and mean seconds by name.

    Columns that nobody has a number for are left out.
    """
    head = ["method", "parameters", "with critics", "samples", "s per slice", "evaluated on"]
    head += ["CPU s", "CPU MiB", "GPU s", "GPU MiB"]
    lines = [budget(name, facts, took.get(name)) for name, facts in methods.items()]
    kept = [i for i in range(len(head)) if i == 0 or any(line[i] != NOTHING for line in lines)]
    return grid([head[i] for i in kept], [[line[i] for i in kept] for line in lines])


def budget(name: str, facts: Mapping[str, Any], took: Interval | None) -> list[str]:
    """A line of `budgets`."""
    costs = [facts.get("cost", {}).get(kind, {}) for kind in ("cpu", "cuda")]
    learned = facts["learned"] if facts["learned"] != facts["parameters"] else None
    return [
        name,
        *(f"{number:,}" if number else NOTHING for number in (facts["parameters"], learned)),
        f"{facts['samples']:,}" if facts["samples"] else NOTHING,
        NOTHING if took is None else f"{took.mean:.3g}",
        str(facts.get("evaluated on", NOTHING)),
        *(
            f"{one[key]:{form}}" if key in one else NOTHING
            for one in costs
            for key, form in (("seconds", ".3g"), ("mib", ".0f"))
        ),
    ]


def _value(row: Row, column: Column) -> str:
    return f"{row[column.name]:.{column.digits}f}" if column.name in row else NOTHING


def cell(means: Mapping[str, Interval], column: Column, *, interval: bool = True) -> str:
    """`32.04 [31.71, 32.40]`, or a dash where there is no number."""
    if column.name not in means:
        return NOTHING
    mean, low, high = (f"{number:.{column.digits}f}" for number in means[column.name])
    return f"{mean} [{low}, {high}]" if interval and math.isfinite(float(low)) else mean


def change(found: Mapping[str, Difference], column: Column) -> str:
    """`+0.35 [+0.10, +0.60] p 0.004`, or a dash where there is no number."""
    if column.name not in found:
        return NOTHING
    *numbers, p = found[column.name]
    mean, low, high = (f"{number:+.{column.digits}f}".replace("-", "−") for number in numbers)
    if math.isnan(numbers[1]):  # of one patient
        return mean
    return f"{mean} [{low}, {high}] p {chance(p)}"


def chance(p: float) -> str:
    """A p-value as it is printed: `0.04`, `0.003`, `0.0001`."""
    return f"{p:.1g}" if p < 0.095 else f"{p:.2f}"


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
