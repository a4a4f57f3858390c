"""What the header of a series says: patient, names of slices, orientation, window."""

from __future__ import annotations

import math
from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any

from unmetal.files.formats import GRIDS
from unmetal.scan import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IDENTIFIERS = {
    "patient": "PatientName",
    "patient ID": "PatientID",
    "born": "PatientBirthDate",
    "sex": "PatientSex",
    "accession": "AccessionNumber",
    "study": "StudyDescription",
    "study date": "StudyDate",
    "study UID": "StudyInstanceUID",
    "series": "SeriesDescription",
    "series number": "SeriesNumber",
    "series UID": "SeriesInstanceUID",
}
"""Plain name -> DICOM keyword, of what says whose a series is."""


def identifiers(volume: Volume) -> dict[str, str]:
    """Patient, study and series as the header names them, and the file: for reports that may show
    them."""
    named = {"file": str(volume.path)} if volume.path is not None else {}
    known = {name: header_value(volume, keyword) for name, keyword in IDENTIFIERS.items()}
    return {name: value for name, value in known.items() if value} | named


def orientation(volume: Volume) -> tuple[float, ...] | None:
    """Direction cosines of a row and of a column, LPS (6 numbers); None where nothing says so."""
    if volume.source is not None and volume.source.format in GRIDS:
        by_axis = volume.source.direction
        return (*by_axis[0::3], *by_axis[1::3]) if len(by_axis) == 9 else None
    for header in dicom_headers(volume)[:1]:
        if cosines := header.get("ImageOrientationPatient"):
            return tuple(float(cosine) for cosine in cosines)
    return None


def window(volume: Volume) -> tuple[float, float] | None:
    """Width and level, HU, of the first window that the header of the middle slice names; None
    where it names none that can be drawn. Source: DICOM PS3.3 C.11.2.1.2."""
    headers = dicom_headers(volume)
    header = headers[len(headers) // 2] if headers else {}
    pair = []
    for keyword in ("WindowWidth", "WindowCenter"):
        stated: Any = header.get(keyword)
        first = stated[0] if isinstance(stated, MutableSequence) and stated else stated
        try:
            pair.append(float(first))
        except (TypeError, ValueError):
            return None
    width, level = pair
    return (width, level) if math.isfinite(level) and 1 <= width < 1e5 else None


def slice_labels(volume: Volume) -> list[str]:
    """`image 17` for each slice, by InstanceNumber; an empty text where there is none."""
    headers = dicom_headers(volume) or [{}] * len(volume.hu)
    numbers = [header.get("InstanceNumber") for header in headers]
    return ["" if number is None else f"image {number}" for number in numbers]


def dicom_headers(volume: Volume) -> list[Dataset]:
    """The DICOM headers of the slices in order; none where the volume came from another format."""
    if volume.source is None or volume.source.format != "dicom":
        return []
    return [one.header for one in volume.source.slices]


def header_value(volume: Volume, keyword: str, place: int = 0) -> str:
    """What the DICOM header of a slice says; empty where it does not, or there is none."""
    headers = dicom_headers(volume)
    return str(headers[place].get(keyword) or "").strip() if headers else ""
