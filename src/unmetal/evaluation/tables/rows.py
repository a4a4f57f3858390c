"""What a row is, the names of input, ceiling and truth, and rows to CSV and back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str | int | float]
"""`method`, what names the case, its metrics, and the `seconds` that the slice took."""

INPUT, CEILING, TRUTH = "input", "ceiling", "truth"
"""Names of reference rows: the uncorrected input; the reconstruction of the metal-free scan; the
ground truth, which has no row."""

WORDS = ("method", "group")
"""Fields that are names even where they look like numbers."""


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """One line a row, fields in the order in which they first appear; every digit is kept."""
    names = dict.fromkeys(name for row in rows for name in row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(names), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str | int | float]]:
    """What `write_rows` wrote; a field that is empty was not there."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            {name: _value(name, text) for name, text in row.items() if text != ""}
            for row in csv.DictReader(file)
        ]


def _value(name: str, text: str) -> str | int | float:
    if name in WORDS:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
