"""The table of an evaluation in LaTeX, as a paper prints it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from unmetal.evaluation.tables.markdown import format_p
from unmetal.evaluation.tables.means import (
    SECONDS,
    Column,
    Comparison,
    Summary,
    compare_to,
    present_columns,
    summarize,
)
from unmetal.evaluation.tables.rows import Row
from unmetal.metrics.intervals import Interval

TABULAR = r"""% Needs \usepackage{{booktabs}}. Means with 95 % intervals; bold is the best method
% of a column, among those with all cases.
\begin{{tabular}}{{l{right}}}
\toprule
{head}
\midrule
{lines}
\bottomrule
\end{{tabular}}
"""

ESCAPED = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}"}


def latex(rows: Sequence[Row], methods: Mapping[str, Mapping[str, Any]], reference: str) -> str:
    """Metrics with intervals, the difference in the first of them to `reference`, and costs.

    methods: facts of `evaluated_methods` by name; rows of other names (the input, the ceiling) are
    no methods.
    """
    shown = present_columns(rows)
    summaries = summarize(rows, columns=(*shown, SECONDS))
    best = {column.name: best_method(summaries, column, methods) for column in shown}
    against = {one.method: one for one in compare_to(rows, reference, shown)}
    head = ["", *(escape(column.head) for column in shown)]
    head += [rf"$\Delta$ to {escape(reference)}", "parameters", "samples", "s per slice"]
    lines = []
    for one in summaries:
        name = str(one.key["method"])
        numbers = [_mean(one.means.get(c.name), c, bold=best[c.name] == name) for c in shown]
        difference = _difference(against.get(name), shown[0])
        lines.append([escape(name), *numbers, difference, *_costs(methods.get(name), one)])
    first, *body = (" & ".join(line) + r" \\" for line in (head, *lines))
    right = "r" * (len(head) - 1)
    return TABULAR.format(right=right, head=first, lines="\n".join(body))


def best_method(
    summaries: Sequence[Summary], column: Column, methods: Collection[str]
) -> str | None:
    """The best method by a column; None where there are not two to choose from. Methods with fewer
    cases than others do not count: theirs may be the easier ones."""
    most = max(one.cases for one in summaries)
    means = {
        str(one.key["method"]): one.means[column.name].mean * column.best
        for one in summaries
        if one.key["method"] in methods and one.cases == most and column.name in one.means
    }
    return max(means, key=means.__getitem__) if len(means) > 1 and column.best else None


def escape(text: str) -> str:
    """Text with what LaTeX treats as special escaped."""
    return "".join(ESCAPED.get(letter, letter) for letter in text)


def _mean(interval: Interval | None, column: Column, *, bold: bool) -> str:
    """A mean and its interval in smaller print."""
    if interval is None:
        return "--"
    mean, low, high = (f"{value:.{column.digits}f}" for value in interval)
    mean = rf"\textbf{{{mean}}}" if bold else mean
    return rf"{mean} {{\scriptsize [{low}, {high}]}}" if math.isfinite(interval.low) else mean


def _difference(comparison: Comparison | None, column: Column) -> str:
    """A difference with its interval and p-value."""
    if comparison is None or column.name not in comparison.differences:
        return "--"
    *numbers, p = comparison.differences[column.name]
    mean, low, high = (f"${number:+.{column.digits}f}$" for number in numbers)
    if math.isnan(numbers[1]):  # one patient has no interval
        return mean
    return rf"{mean} {{\scriptsize [{low}, {high}], $p={format_p(p)}$}}"


def _costs(facts: Mapping[str, Any] | None, one: Summary) -> list[str]:
    """Parameters, samples and seconds, as far as there are any."""
    known = facts or {}
    counts = [f"{known[k]:,}" if known.get(k) else "--" for k in ("parameters", "samples")]
    seconds = one.means.get(SECONDS.name)
    return [*counts, "--" if seconds is None else f"{seconds.mean:.3g}"]
