"""The manifest of a prepared cohort: a line for each slice and for each file that gave none."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from unmetal.files.staging import replacing

MANIFEST = "manifest.csv"


@dataclass(frozen=True)
class Row:
    """One line. Names are pseudonyms: see `preparation.pseudonyms`."""

    patient: str = ""
    """Name of the patient; empty where unknown."""
    series: str = ""
    """Name of the series or volume."""
    image: str = ""
    """Name of the image by its SOPInstanceUID; empty where the format has none."""
    source: str = ""
    """Name of the file."""
    slice: int | str = ""
    """Its place in the file, from 0."""
    pixel_mm: float | str = ""
    """Size of a pixel of the slice as it was."""
    matrix: int | str = ""
    """Pixels along the longer side of the slice as it was."""
    max_hu: float | str = ""
    """Of the slice as it was."""
    component_px: int | str = ""
    """Pixels of the largest piece of metal of the slice as it was."""
    decision: str = ""
    """`affected`, `clean` or `left out`."""
    reason: str = ""
    """Why it was left out, or is not used."""
    split: str = ""
    """`train`, `validation` or `test`; empty where it is not used."""
    index: int | str = ""
    """Its place in the cohort; empty where it is not in it."""


def write_manifest(rows: Iterable[Row], path: Path) -> None:
    """Write the lines in the order given."""
    with (
        replacing(path, sync=True) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
