"""What `unmetal evaluate` leaves in a folder: every row, the table, and the table to read."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from unmetal.errors import InputError
from unmetal.report.tables import (
    Row,
    case_by_case,
    columns_of,
    crossed,
    markdown,
    summary,
    write_rows,
    write_summary,
)

FILES = ("rows.csv", "table.csv", "table.md")


def check_folder(out: Path, *, force: bool) -> None:
    """Raise `InputError` where writing the tables would replace something unasked."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; the tables need a folder")
    there = [name for name in FILES if (out / name).exists()]
    if there and not force:
        raise InputError(f"{out}: holds {', '.join(there)}: another folder, or --force")


def write_evaluation(rows: Sequence[Row], out: Path, caption: str) -> str:
    """Write the three files, all or none, and return the Markdown.

    caption: what was evaluated, in a few sentences; it stands above the table.
    """
    text = report(rows, caption)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unmetal-", dir=out) as stage:
        here = Path(stage)
        write_rows(rows, here / "rows.csv")
        write_summary(summary(rows), here / "table.csv")
        (here / "table.md").write_text(text, encoding="utf-8")
        for name in FILES:
            (here / name).replace(out / name)
    return text


def report(rows: Sequence[Row], caption: str) -> str:
    """The tables as Markdown: overall, and each metric by the size of the metal."""
    columns = columns_of(rows)
    parts = [caption, markdown(summary(rows), columns)]
    if any("mask" in row for row in rows):
        parts.append("Means by pixels of metal in the mask:")
        parts += [crossed(rows, column) for column in columns]
    else:
        parts.append("Case by case:")
        parts += [case_by_case(rows, column) for column in columns]
    return "\n\n".join(part.strip() for part in parts) + "\n"
