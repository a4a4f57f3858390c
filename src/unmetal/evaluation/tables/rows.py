"""Rows of numbers: what a row is, which case it is of, and rows to CSV and back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

Row = dict[str, str | int | float]
"""`method`, the case (`slice`, `mask`), its patient (`group`), metrics, and the `seconds` that a
slice took."""

INPUT, CEILING, TRUTH = "input", "ceiling", "truth"
"""Names of reference rows: the uncorrected input; the reconstruction of the metal-free scan; the
ground truth, which has no row."""

TRUE_MASK = ", true mask"
"""What the name of a row ends in where the method was given the true metal mask."""

WORDS = ("method", "group")
"""Fields that are names even where they look like numbers."""


class Case(NamedTuple):
    """Which case a row or a picture is of."""

    slice: str
    mask: int = 0
    """Number of the metal mask, or of the draw; 0 where a slice is one case."""

    @classmethod
    def of(cls, row: Row) -> Case:
        """The case of a row."""
        return cls(str(row["slice"]), int(row.get("mask", 0)))


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """One line a row, fields in the order in which they first appear; every digit is kept."""
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[Row]:
    """What `write_rows` wrote; a field that is empty was not there."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: _value(name, text) for name, text in row.items() if text != ""}
            for row in csv.DictReader(file)
        ]


def _value(name: str, text: str) -> str | int | float:
    for number in () if name in WORDS else (int, float):
        with suppress(ValueError):
            return number(text)
    return text
