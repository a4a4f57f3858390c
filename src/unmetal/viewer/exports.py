"""What can be downloaded of a result, under names that identify nobody."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from unmetal.viewer.records import OpenSeries, Result

MEDIA = {
    ".zip": "application/zip",
    ".dcm": "application/dicom",
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
}
"""Suffix -> media type; that of others says nothing."""

USUAL = {"nifti": ".nii.gz", "itk": ".mha", "npy": ".npy", "png": ".png"}
"""Format -> suffix for a source whose name has none."""

NIFTI = "corrected.nii.gz"

PICTURE = "picture.png"

REPORT = "report.html"


def exports_of(series: OpenSeries, result: Result) -> tuple[str, ...]:
    """The names of what can be made of a result."""
    if series.format == "dicom":
        own = ["dicom.zip"]
        if result.changed:
            own.append("difference.zip")
        if result.metal and find_spec("highdicom") is not None:
            own.append("seg.dcm")
    else:
        # A header and its voxels in two files are no download.
        suffix = ".mha" if series.suffix == ".mhd" else series.suffix or USUAL[series.format]
        own = [f"corrected{suffix}"]
    return tuple(dict.fromkeys([*own, NIFTI, REPORT, PICTURE]))


def why_not(what: str, series: OpenSeries, result: Result) -> str:
    """Why there is no such export of a result."""
    if what in {"dicom.zip", "difference.zip", "seg.dcm"} and series.format != "dicom":
        return f"{what}: DICOM can only be derived from DICOM: take {exports_of(series, result)[0]}"
    if what == "difference.zip":
        return f"{what}: nothing was changed"
    if what == "seg.dcm":
        return f"{what}: no metal was corrected, or the extra `dicom` is not installed"
    return f"{what}: there is no such export"


def media_type(name: str) -> str:
    """The media type of an export."""
    return MEDIA.get(Path(name).suffix, "application/octet-stream")


def download_name(result: Result, what: str, *, index: int | None = None) -> str:
    """Name of the file in the browser: method and kind, nothing of the series."""
    method = "".join(c if c.isalnum() else "-" for c in result.method.lower())
    place = "" if index is None else f"-slice-{index + 1}"
    stem, dot, suffix = what.partition(".")
    return f"unmetal-{method}-{stem}{place}{dot}{suffix}"
