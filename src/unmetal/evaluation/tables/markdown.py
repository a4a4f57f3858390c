"""The tables of an evaluation in Markdown, padded so that they read well as text too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from unmetal.evaluation.tables.means import (
    AAPM,
    BY_DISTANCE,
    COLUMNS,
    LESION,
    SECONDS,
    Column,
    Comparison,
    Summary,
    compare_to,
    present_columns,
    summarize,
)
from unmetal.evaluation.tables.rows import Row
from unmetal.metrics.intervals import Difference, Interval

DASH = "–"
"""Where there is no number."""

FEWER_CASES = """\
Rows with fewer cases than others were evaluated on fewer slices: compare them by the differences, \
not by the means."""

DIFFERENCES = """\
{0}: every row minus {0}, case by case, on the cases that both have; mean, 95 % interval and the \
p-value of a sign-flip test, both over the same groups as above. No p-value is corrected for how \
many there are: with {1} rows to compare, 0.05 for all of them together is {2:.1g} for each."""

CLINICAL = """\
The eight metrics of the AAPM CT-MAR challenge, regions drawn by rule, each as an error (0 is \
perfect), metal put back; then the mean error and RMSE by distance from metal (it is best at 0)\
{}. What each sees, and does not, is in docs/measures.md."""

WORST = """\
Harmed and helped are the shares of the body, farther than 2 px from metal, whose smoothed error \
grew, or fell, by more than 20 HU (docs/measures.md). The worst case of each method, which a mean \
hides:"""

LESIONS = "; then a lesion of 10 mm and 40 HU beside the metal: share of its contrast, and d′"

COSTS = """\
Parameters are the generator's, `with critics` all that learn; `samples` are what the weights have \
seen. CPU and GPU: one slice in a process of its own; MiB on a CPU are all that the process held, \
Python, its libraries and the scanner's matrix included, on a GPU what PyTorch held."""


def page(
    caption: str, rows: Sequence[Row], methods: Mapping[str, Mapping[str, Any]], reference: str
) -> str:
    """Everything about an evaluation: means, differences to `reference`, clinical measures, costs,
    and means by the size of the metal (or by what was drawn, or case by case).

    caption: what was evaluated. methods: facts of `evaluated_methods` by name.
    """
    columns = present_columns(rows)
    means = summarize(rows, columns=(*columns, SECONDS))
    parts = [caption, means_table(means, columns)]
    if len({one.cases for one in means}) > 1:
        parts.append(FEWER_CASES)
    if others := compare_to(rows, reference, columns):
        parts.append(DIFFERENCES.format(reference, len(others), 0.05 / len(others)))
        parts.append(differences_table(others, columns))
    parts += _worst_cases(rows)
    parts += _clinical_tables(rows)
    parts += [COSTS, costs_table(methods, means)]
    if any("implant" in row for row in rows):
        parts.append("Means by what was drawn:")
        parts += [pivot(rows, columns[0], across) for across in ("implant", "material", "kvp")]
    elif any("mask" in row for row in rows):
        parts.append("Means by pixels of metal in the mask:")
        parts += [pivot(rows, column) for column in columns]
    else:
        parts.append("Case by case:")
        parts += [cases_table(rows, column) for column in columns]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def means_table(summaries: Sequence[Summary], columns: Sequence[Column] = COLUMNS) -> str:
    """A line for each summary: what was grouped by, cases, means with 95 % intervals."""
    shown = [c for c in columns if any(c.name in one.means for one in summaries)]
    head = [*summaries[0].key, "cases", *(column.head for column in shown)]
    lines = [
        [str(fact) for fact in (*one.key.values(), one.cases)]
        + [format_mean(one.means.get(c.name), c) for c in shown]
        for one in summaries
    ]
    return markdown_table(head, lines, words=len(summaries[0].key))


def differences_table(
    comparisons: Sequence[Comparison], columns: Sequence[Column] = COLUMNS
) -> str:
    """A line for each method: cases, differences with 95 % intervals and p-values."""
    shown = [c for c in columns if any(c.name in one.differences for one in comparisons)]
    lines = [
        [one.method, str(one.cases)]
        + [format_difference(one.differences.get(c.name), c) for c in shown]
        for one in comparisons
    ]
    return markdown_table(["method", "cases", *(f"Δ {column.head}" for column in shown)], lines)


def pivot(rows: Sequence[Row], column: Column, across: str = "mask_px") -> str:
    """Means of one metric: methods down, the values of the field `across` to the right."""
    values = sorted({row[across] for row in rows}, key=lambda v: (isinstance(v, str), v))
    means = {
        (one.key["method"], one.key[across]): one.means.get(column.name)
        for one in summarize(rows, ("method", across), [column])
    }
    lines = [
        [method, *(format_mean(means.get((method, v)), column, interval=False) for v in values)]
        for method in dict.fromkeys(str(row["method"]) for row in rows)
    ]
    return markdown_table([f"{column.head} at {across}", *map(str, values)], lines)


def cases_table(rows: Sequence[Row], column: Column) -> str:
    """One metric, case by case: slices down, methods to the right."""
    methods = dict.fromkeys(str(row["method"]) for row in rows)
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault(str(row["slice"]), dict.fromkeys(methods, DASH))
        if column.name in row:
            line[str(row["method"])] = f"{row[column.name]:.{column.digits}f}"
    return markdown_table(
        [column.head, *methods], [[name, *line.values()] for name, line in lines.items()]
    )


def costs_table(methods: Mapping[str, Mapping[str, Any]], summaries: Sequence[Summary]) -> str:
    """A line for each method, from its facts and its mean seconds, without empty columns."""
    seconds = {str(one.key["method"]): one.means.get(SECONDS.name) for one in summaries}
    head = ["method", "parameters", "with critics", "samples", "s per slice", "evaluated on"]
    head += ["CPU s", "CPU MiB", "GPU s", "GPU MiB"]
    lines = [_cost_line(name, facts, seconds.get(name)) for name, facts in methods.items()]
    columns = zip(head, *lines, strict=True)
    known = [column for column in columns if column[0] == "method" or {*column[1:]} - {DASH}]
    head, *lines = map(list, zip(*known, strict=True))
    return markdown_table(head, lines)


def format_mean(mean: Interval | None, column: Column, *, interval: bool = True) -> str:
    """`32.04 [31.71, 32.40]`, or a dash where there is no number."""
    if mean is None:
        return DASH
    text, low, high = (f"{number:.{column.digits}f}" for number in mean)
    return f"{text} [{low}, {high}]" if interval and math.isfinite(mean.low) else text


def format_difference(difference: Difference | None, column: Column) -> str:
    """`+0.35 [+0.10, +0.60] p 0.004`, or a dash where there is no number."""
    if difference is None:
        return DASH
    *numbers, p = difference
    mean, low, high = (f"{number:+.{column.digits}f}".replace("-", "−") for number in numbers)
    if math.isnan(numbers[1]):  # one patient has no interval
        return mean
    return f"{mean} [{low}, {high}] p {format_p(p)}"


def format_p(p: float) -> str:
    """A p-value as it is printed: `0.10`, `0.04`, `0.003`, `0.0001`."""
    return f"{p:.1g}" if p < 0.095 else f"{p:.2f}"


def markdown_table(head: Sequence[str], lines: Iterable[Sequence[str]], words: int = 1) -> str:
    """A Markdown table; the first `words` columns are flush left, numbers flush right."""
    cells = [list(head), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.ljust(width) if place < words else text.rjust(width)
            for place, (text, width) in enumerate(zip(texts, widths, strict=True))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * w if place < words else "-" * (w - 1) + ":" for place, w in enumerate(widths)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])]) + "\n"


def _worst_cases(rows: Sequence[Row]) -> list[str]:
    """The case that each method harms most; nothing where no row says what is harmed."""
    lines = []
    for name in dict.fromkeys(str(row["method"]) for row in rows):
        # Percent and case of those that say what was harmed.
        own = [row for row in rows if row["method"] == name and "harmed" in row]
        worst = max(own, key=lambda row: float(row["harmed"]), default=None)
        if worst is not None and float(worst["harmed"]) > 0:
            shares = [f"{float(worst[key]):.1f}" for key in ("harmed", "helped")]
            lines.append([name, str(worst["slice"]), *shares])
    head = ["method", "worst case", "harmed (%)", "helped (%)"]
    return [WORST, markdown_table(head, lines, words=2)] if lines else []


def _clinical_tables(rows: Sequence[Row]) -> list[str]:
    """The tables of the clinical measures; none where no row has any."""
    groups = [present_columns(rows, columns) for columns in (AAPM, BY_DISTANCE, LESION)]
    parts = [means_table(summarize(rows, columns=one), one) for one in groups if one]
    return [CLINICAL.format(LESIONS if groups[-1] else ""), *parts] if parts else []


def _cost_line(name: str, facts: Mapping[str, Any], seconds: Interval | None) -> list[str]:
    """A line of `costs_table`."""
    learned = facts["learned"] if facts["learned"] != facts["parameters"] else None
    counts = [f"{n:,}" if n else DASH for n in (facts["parameters"], learned, facts["samples"])]
    line = [name, *counts, f"{seconds.mean:.3g}" if seconds else DASH]
    line.append(facts.get("evaluated on", DASH))
    for one in (facts.get("cost", {}).get(device, {}) for device in ("cpu", "cuda")):
        line += [f"{one['seconds']:.3g}", f"{one['mib']:.0f}"] if one else [DASH, DASH]
    return line
