"""Making the file of an export, and sending a derived series. Runs in a process of its own."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unmetal import files
from unmetal.errors import InputError
from unmetal.files import nifti
from unmetal.files.grid import Grid as FileGrid
from unmetal.scan import Volume
from unmetal.viewer.exports import NIFTI, REPORT
from unmetal.viewer.marks import CORRECTED
from unmetal.viewer.records import DERIVATION, LPS_TO_RAS, OpenSeries, Result


def export_task(
    report: Callable[[Any], None], what: str, series: OpenSeries, result: Result, target: Path
) -> None:
    """Write the export `what` of a result to `target`; raises `InputError`."""
    del report
    if what == NIFTI and series.format != "nifti":
        _write_nifti(series, result, target)
        return
    source = files.read(series.source.path, only=series.source.only, log_warnings=False)
    if what == REPORT:
        _write_report(source, result, target)
        return
    described: files.Derivation = pickle.loads((result.folder / DERIVATION).read_bytes())
    corrected = source.with_hu(np.load(result.array("corrected")))
    if what == "difference.zip":
        described = replace(described, kind="MAR_DIFFERENCE")
        output = files.Output(files.difference(source, corrected), target, described)
    elif what == "seg.dcm":
        metal = np.load(result.array("marks")) == CORRECTED
        output = files.Output(source, target, replace(described, kind="MAR_METAL"), metal)
    else:
        output = files.Output(corrected, target, described)
    files.write_all([output])


def send_task(
    report: Callable[[Any], None],
    series: OpenSeries,
    result: Result,
    destination: str,
    folder: Path,
) -> int:
    """Send the derived series to `AET@HOST:PORT`; returns the number of images that were taken.

    Raises `InputError` with the reason where not all of them were.
    """
    from unmetal.sending.c_store import CStore  # noqa: PLC0415  (pynetdicom)
    from unmetal.sending.destination import (  # noqa: PLC0415
        DeclinedError,
        UnreachableError,
        parse_destination,
    )

    entity = parse_destination(destination)
    if isinstance(entity, str):
        raise InputError(f"{destination}: give AET@HOST:PORT")
    export_task(report, "dicom", series, result, folder)
    images = sorted(path for path in [folder, *folder.rglob("*")] if path.is_file())
    taken = 0
    try:
        for _ in CStore("UNMETAL", entity).send(images, check_existing=False):
            taken += 1
    except UnreachableError as error:
        raise InputError(f"{destination}: {error}; {taken} of {len(images)} were sent") from error
    except DeclinedError as error:
        why = f"{len(images) - taken} of {len(images)} images were declined: {error}"
        raise InputError(f"{destination}: {why}") from error
    return taken


def _write_report(source: Volume, result: Result, target: Path) -> None:
    from unmetal.reduction.report.page import write_report  # noqa: PLC0415  (torch takes seconds)
    from unmetal.viewer.reduce_task import load_done  # noqa: PLC0415

    folder = target.with_name(f"{target.name}-report")
    write_report(load_done(result.folder, source), folder)
    (folder / "report.html").replace(target)


def _write_nifti(series: OpenSeries, result: Result, target: Path) -> None:
    """The result on the grid that the page shows, whatever the source's format."""
    before, after = np.load(series.values), np.load(result.array("corrected"))
    kind = np.promote_types(before.dtype, after.dtype)
    lps = LPS_TO_RAS @ series.grid.matrix()
    lengths = np.linalg.norm(lps[:3, :3], axis=0)
    grid = FileGrid(
        stored=before.astype(kind),
        spacing=tuple(lengths.tolist()),
        origin=tuple(lps[:3, 3].tolist()),
        direction=tuple((lps[:3, :3] / lengths).ravel().tolist()),
    )
    volume = Volume(after.astype(np.float32), series.grid.spacing, source=grid)
    nifti.write(volume, target, files.Derivation(method=result.title))
