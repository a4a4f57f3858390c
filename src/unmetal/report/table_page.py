"""The tables of an evaluation on one page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from unmetal.metrics.intervals import Interval
from unmetal.report.summary import (
    AAPM,
    LESION,
    NEAR,
    SECONDS,
    Row,
    columns_of,
    compared,
    summary,
)
from unmetal.report.tables import budgets, case_by_case, crossed, differences, markdown

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
    `engine.cost` by name.
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
