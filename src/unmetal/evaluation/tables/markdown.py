"""Means, differences and budgets as tables in Markdown, which read well as text too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unmetal.evaluation.tables.means import (
    AAPM,
    COLUMNS,
    LESION,
    NEAR,
    SECONDS,
    Column,
    Comparison,
    Summary,
    columns_of,
    compared,
    summary,
)
from unmetal.evaluation.tables.rows import Row
from unmetal.metrics.intervals import Difference, Interval

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
    """A table of what methods cost: facts of `evaluation.cost` by name, and mean seconds by name.

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


FEWER = """\
Rows with fewer cases than others were evaluated on fewer slices: compare them by the differences, \
not by the means."""


COMPARED = """\
{0}: every row minus {0}, case by case, on the cases that both have; mean, 95 % interval and the \
p-value of a sign-flip test, both over the same groups as above. No p-value is corrected for how \
many there are: with {1} rows to compare, 0.05 for all of them together is {2:.1g} for each."""


ERRORS = """\
The eight metrics of the AAPM CT-MAR challenge, regions drawn by rule, each as an error (0 is \
perfect), metal put back; then the mean error and RMSE by distance from metal (it is best at 0)\
{}. What each sees, and does not, is in docs/measures.md."""


LESIONS = "; then a lesion of 10 mm and 40 HU beside the metal: share of its contrast, and d′"


COSTS = """\
Parameters are the generator's, `with critics` all that learn; `samples` are what the weights have \
seen. CPU and GPU: one slice in a process of its own; MiB on a CPU are all that the process held, \
Python, its libraries and the scanner's matrix included, on a GPU what PyTorch held."""


def page(
    caption: str,
    rows: Sequence[Row],
    methods: Mapping[str, Mapping[str, Any]],
    reference: str,
) -> str:
    """Means, differences to `reference`, what methods cost, and means by the size of the metal.

    caption: what was evaluated, in a few sentences; it stands above all. methods: facts of
    `evaluation.cost` by name.
    """
    columns = columns_of(rows)
    means = summary(rows, columns=(*columns, SECONDS))
    parts = [caption, markdown(means, columns)]
    if len({one.cases for one in means}) > 1:
        parts.append(FEWER)
    if others := compared(rows, reference, columns):
        parts.append(COMPARED.format(reference, len(others), 0.05 / len(others)))
        parts.append(differences(others, columns))
    parts += clinical(rows)
    parts += [COSTS, budgets(methods, seconds(rows))]
    if any("implant" in row for row in rows):
        parts.append("Means by what was drawn:")
        parts += [crossed(rows, columns[0], across) for across in ("implant", "material", "kvp")]
    elif any("mask" in row for row in rows):
        parts.append("Means by pixels of metal in the mask:")
        parts += [crossed(rows, column) for column in columns]
    else:
        parts.append("Case by case:")
        parts += [case_by_case(rows, column) for column in columns]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def clinical(rows: Sequence[Row]) -> list[str]:
    """The tables of the clinical measures, where rows have any."""
    tables = [columns_of(rows, columns) for columns in (AAPM, NEAR, LESION)]
    if not any(tables):
        return []
    parts = [markdown(summary(rows, columns=one), one) for one in tables if one]
    return [ERRORS.format(LESIONS if tables[-1] else ""), *parts]


def seconds(rows: Sequence[Row]) -> dict[str, Interval]:
    """Mean seconds by the name of the method."""
    means = {str(one.key["method"]): one.means for one in summary(rows, columns=(SECONDS,))}
    return {name: its[SECONDS.name] for name, its in means.items() if SECONDS.name in its}
