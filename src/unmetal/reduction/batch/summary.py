"""The summary of an archive: a CSV with a line for each series and each object set aside.

The next run reads it to know what this one has done, and what it asked for.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from unmetal.errors import InputError
from unmetal.files.staging import LOCK, replacing

SUMMARY = "summary.csv"

COLUMNS = (
    "output",
    "status",
    "reason",
    "source",
    "images",
    "facts",
    "with_metal",
    "changed",
    "metal_ml",
    "warnings",
    "seconds",
    "made",
)
"""`source` is relative to the input, `images` to `changed` count slices, `made` says what was asked
for: `result report metal`."""

SummaryRow = dict[str, str | int | float]


def read_summary(output: Path) -> dict[str, SummaryRow]:
    """Name of a series -> its line, of an earlier run into the same folder.

    Raises `InputError` for a file, and for a folder with other things in it.
    """
    path = output / SUMMARY
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; several series need a folder")
    if not path.exists():
        if output.is_dir() and any(path.name != LOCK for path in output.iterdir()):
            raise InputError(f"{output}: holds other things: give another folder, or an empty one")
        return {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            names, rows = tuple(reader.fieldnames or ()), [dict(row) for row in reader]
    except (csv.Error, UnicodeDecodeError):
        names, rows = (), []
    if names != COLUMNS:
        raise InputError(f"{path}: is not a summary of ours: give another folder")
    return {row["output"]: row for row in rows if row["output"]}


def write_summary(rows: Iterable[SummaryRow], output: Path) -> None:
    """Write the summary, replacing an earlier one in one step."""
    with (
        replacing(output / SUMMARY) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
