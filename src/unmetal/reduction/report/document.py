"""The report as a DICOM object of the study: an encapsulated PDF."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from unmetal.display.sheet import LABEL
from unmetal.files.dicom.encapsulated_pdf import write_pdf
from unmetal.reduction.reduce_series import Done
from unmetal.reduction.report.paper import report_pdf


def write_document(done: Done, path: Path) -> None:
    """Write the report of a DICOM series as an encapsulated PDF; raises `InputError`."""
    derivation = replace(done.derivation, kind="MAR_REPORT")
    title = f"Metal artifact reduction by {done.tool.name}: what changed. {LABEL}"
    write_pdf(done.reduced.source, report_pdf(done), path, derivation, title)
