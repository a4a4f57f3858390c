"""How much every method loses from SYN to other scanners: a table with intervals over patients.

Data sets are not equally hard, so PSNR falls for every method and the input alike; what a method
adds to its input can be compared on the same slices. Where one data set has more to gain than the
other (the gain of the ceiling says so), compare gains over a method that learned nothing (`--over
li`).

usage: python recipes/clinical_drop.py NAME=ROWS.csv... [--metric psnr] [--over input]
           [--out FILE.md]

The first NAME is what drops are measured from; ROWS.csv are rows of `unmetal evaluate` on the same
index.csv:

    unmetal evaluate METHOD... --data DATA/index.csv --downsample 2 --out syn
    unmetal evaluate METHOD... --data DATA/index.csv --downsample 2 --protocol clinical \\
        --out clinical
    python recipes/clinical_drop.py SYN=syn/rows.csv clinical=clinical/rows.csv
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unmetal.evaluation.tables.markdown import format_difference, format_mean, markdown_table
from unmetal.evaluation.tables.means import COLUMNS, Column
from unmetal.evaluation.tables.rows import CEILING, INPUT, Case, Row, read_rows
from unmetal.metrics.intervals import Difference, Interval, paired, t_interval

SAYS = """\
Gain over {over}, slice by slice, and what of it is lost from {first} to the others on slices \
of both; positive drops are losses. Mean of {patients} patients' means, 95 % t interval \
and p-value (signs flipped by patient), not corrected for how many there are.
"""


PSNR = COLUMNS[0]


class Gain(NamedTuple):
    """What a method gains on one slice: the mean over its masks or draws."""

    value: float
    group: str
    """The patient."""


class MethodDrop(NamedTuple):
    """The gains and drops of one method."""

    method: str
    gains: dict[str, Interval]
    """Name of a data set -> gain, where it was evaluated."""
    drops: dict[str, Difference]
    """Name of a data set -> gain on the first data set minus gain there, on slices of both."""


def method_drops(
    data: Mapping[str, Sequence[Row]], column: Column = PSNR, over: str = INPUT
) -> list[MethodDrop]:
    """Gains over the row called `over`, and drops, of every method; `data` are rows by the name of
    the data set, and drops are from the first one. Means are of patients' (`group`) means.

    Slices are matched by their numbers, so all data sets must be of the same list of slices. Gains
    count in the column's `best` direction.
    """
    first, *others = data
    gained = {name: gains(rows, column, over) for name, rows in data.items()}
    found = []
    for method in dict.fromkeys(method for its in gained.values() for method in its):
        slices = {name: its[method] for name, its in gained.items() if method in its}
        drops = {
            name: _drop(slices[first], slices[name])
            for name in others
            if first in slices and slices.get(name, {}).keys() & slices[first].keys()
        }
        means = {name: _mean(some) for name, some in slices.items()}
        found.append(MethodDrop(method, means, drops))
    return found


def gains(rows: Sequence[Row], column: Column, over: str = INPUT) -> dict[str, dict[str, Gain]]:
    """Method -> slice -> its gain over the row `over` on the same cases; infinite ones are
    left out."""
    base = {Case.of(row): float(row[column.name]) for row in rows if row["method"] == over}
    values: dict[str, dict[str, list[float]]] = {}
    groups: dict[str, str] = {}
    for row in rows:
        method, case = str(row["method"]), Case.of(row)
        gain = float(row[column.name]) - base[case] if case in base else np.inf
        if method != over and np.isfinite(gain):
            values.setdefault(method, {}).setdefault(case.slice, []).append(column.best * gain)
            groups[case.slice] = str(row["group"])
    return {
        method: {slice_: Gain(float(np.mean(some)), groups[slice_]) for slice_, some in its.items()}
        for method, its in values.items()
    }


def drop_table(drops: Sequence[MethodDrop], names: Sequence[str], column: Column = PSNR) -> str:
    """Markdown: gains on every data set, then drops from the first to the others."""
    unit = f" ({column.unit})" if column.unit else ""
    head = ["method", *(f"gain, {name}{unit}" for name in names)]
    head += [f"drop to {name}{unit}" for name in names[1:]]
    lines = [
        [
            one.method,
            *(format_mean(one.gains.get(name), column) for name in names),
            *(format_difference(one.drops.get(name), column) for name in names[1:]),
        ]
        for one in drops
    ]
    return markdown_table(head, lines)


def _mean(some: Mapping[str, Gain]) -> Interval:
    return t_interval([one.value for one in some.values()], [one.group for one in some.values()])


def _drop(before: Mapping[str, Gain], after: Mapping[str, Gain]) -> Difference:
    both = [(before[name], after[name]) for name in before if name in after]
    values = ([one.value for one, _ in both], [other.value for _, other in both])
    return paired(*values, [one.group for one, _ in both])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", metavar="NAME=ROWS.csv")
    parser.add_argument("--metric", default="psnr", choices=[c.name for c in COLUMNS if c.best])
    parser.add_argument("--over", default=INPUT, help="the row that gains are over: input or li")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    paths = dict(one.split("=", 1) for one in given.data)
    column = next(one for one in COLUMNS if one.name == given.metric)
    data = {name: read_rows(Path(path)) for name, path in paths.items()}
    patients = len({row["group"] for rows in data.values() for row in rows})
    # The ceiling is no method: what a perfect sinogram gains says how much there was to gain.
    found = sorted(method_drops(data, column, given.over), key=lambda one: one.method == CEILING)
    text = SAYS.format(over=given.over, first=next(iter(data)), patients=patients)
    text += "\n" + drop_table(found, list(data), column)
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
