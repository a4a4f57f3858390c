"""Selecting the files of one CT series, and sorting its slices by position.

Positions and orientations: DICOM PS3.3 section C.7.6.2.1.1, LPS millimetres.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset

from unmetal.errors import InputError
from unmetal.files.dicom.entries import Entry

SAME_PLACE = 0.01
"""mm. Slices closer than this are at the same position."""

TILT = 0.5
"""Degrees between stacking direction and slice normal from which a gantry counts as tilted."""


@dataclass(frozen=True, eq=False)
class Header:
    """One file without its pixels."""

    entry: Entry
    dataset: Dataset


@dataclass(frozen=True)
class Stack:
    """The slices of a series in order."""

    headers: list[Header]
    distance: float | None
    """mm between neighbours along the normal (the median); None where unknown."""

    tilt: float
    """Degrees."""

    warnings: list[str]
    axial: bool = True
    """Whether the slices are axial; True where the header does not say."""


def select_series(headers: list[Header], path: Path) -> tuple[list[Header], list[str]]:
    """The CT images among the files, and a warning about those left aside.

    Raises `InputError` for none, and for several series, sizes, pixel sizes or orientations.
    """
    reasons = [reason_unfit(header.dataset) for header in headers]
    images = [h for h, reason in zip(headers, reasons, strict=True) if not reason]
    aside = _counted(reason for reason in reasons if reason)
    if not images:
        raise InputError(
            f"{path}: no CT slices in it ({aside}): give a series of single-frame CT images"
        )
    for header in images:
        if not {"Rows", "Columns", "BitsAllocated"} <= set(header.dataset.dir()):
            raise InputError(f"{header.entry.where}: damaged or truncated: states no image size")
    _same(images, _series, path, "several series", "give the folder of one series")
    _same(images, _matrix, path, "images of different size", "keep those of one reconstruction")
    _same(images, _pixels, path, "different pixel sizes", "keep those of one reconstruction")
    _same(images, _orientation, path, "different orientations", "keep the axial images")
    return images, [f"left aside: {aside}"] if aside else []


def stack(images: list[Header], path: Path) -> Stack:
    """Sort along the normal by ImagePositionPatient: names and instance numbers are no geometry.

    Raises `InputError` for two images at one position.
    """
    if len(images) == 1:
        return Stack(images, None, 0.0, *_across(_normal(images[0])))
    if any("ImagePositionPatient" not in h.dataset or _axes(h) is None for h in images):
        ordered = sorted(images, key=lambda h: int(h.dataset.get("InstanceNumber") or 0))
        return Stack(ordered, None, 0.0, ["slices have no position: taken by instance number"])
    normal = _normal(images[0])
    assert normal is not None
    places = np.array([h.dataset.ImagePositionPatient for h in images], float)
    order = np.argsort(places @ normal, kind="stable")
    ordered, places = [images[i] for i in order], places[order]
    gaps = np.diff(places @ normal)
    _refuse_duplicates(ordered, gaps, path)
    tilt = _tilt(places, normal)
    lying, axial = _across(normal)
    leaning = f"gantry tilted by {tilt:.1f} degrees: slices are taken as they lie"
    warnings = [*_uneven(gaps), *([leaning] if tilt > TILT else []), *lying]
    return Stack(ordered, float(np.median(gaps)), tilt, warnings, axial)


def reason_unfit(dataset: Dataset) -> str:
    """Why an object is not a slice of a classic CT series; empty where it is one."""
    stated = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID", "")
    kind, modality = uid.UID(stated), dataset.get("Modality", "CT")
    enhanced = {uid.EnhancedCTImageStorage, uid.LegacyConvertedEnhancedCTImageStorage}
    if kind in enhanced or int(dataset.get("NumberOfFrames") or 1) > 1:
        return "multi-frame"
    if kind == uid.CTImageStorage and "LOCALIZER" in (dataset.get("ImageType") or ""):
        return "localizer"
    if kind == uid.CTImageStorage and modality == "CT":
        return ""
    return f"{modality}, {kind.name}" if "Modality" in dataset else str(kind.name)


def stack_key(header: Header) -> tuple[str, str, str]:
    """Matrix, pixel size and orientation, which all slices of a stack share."""
    return _matrix(header), str(_pixels(header)), str(_orientation(header))


def _same(
    images: list[Header], key: Callable[[Header], Any], path: Path, what: str, remedy: str
) -> None:
    kinds = Counter(str(key(h)) for h in images)
    if len(kinds) > 1:
        listed = "; ".join(f"{kind}: {count} images" for kind, count in kinds.most_common(6))
        more = f"; and {len(kinds) - 6} more" if len(kinds) > 6 else ""
        raise InputError(f"{path}: {what} ({listed}{more}): {remedy}")


def _series(header: Header) -> str:
    data = header.dataset
    title = f"number {data.get('SeriesNumber')} {data.get('SeriesDescription', '')}".strip()
    return f"{title} ...{str(data.get('SeriesInstanceUID', ''))[-8:]}"


def _matrix(header: Header) -> str:
    return f"{header.dataset.get('Columns')}x{header.dataset.get('Rows')}"


def _pixels(header: Header) -> list[float]:
    return [round(float(mm), 3) for mm in header.dataset.get("PixelSpacing") or ()]


def _axes(header: Header) -> list[float] | None:
    cosines = header.dataset.get("ImageOrientationPatient")
    return [float(cosine) for cosine in cosines] if cosines else None


def _orientation(header: Header) -> list[float]:
    return [round(cosine, 2) + 0.0 for cosine in _axes(header) or ()]


def _refuse_duplicates(ordered: list[Header], gaps: np.ndarray, path: Path) -> None:
    twice = np.flatnonzero(gaps < SAME_PLACE)
    if twice.size:
        one, other = (ordered[twice[0] + i].entry.name for i in (0, 1))
        raise InputError(
            f"{path}: {twice.size} positions hold more than one image, first {one} and {other}: "
            "give one phase or one copy of the series"
        )


def _tilt(places: np.ndarray, normal: np.ndarray) -> float:
    """Degrees between the line through the first and last position and the normal."""
    along = places[-1] - places[0]
    return float(np.degrees(np.arccos(np.clip(along @ normal / np.linalg.norm(along), -1, 1))))


def _uneven(gaps: np.ndarray) -> list[str]:
    usual = np.median(gaps)
    wide = int((gaps > 1.5 * usual).sum())
    if not wide:
        return []
    found = "a gap of" if wide == 1 else f"{wide} gaps up to"
    # Rounded as a console shows it: positions carry hundredths that no table moves by.
    widest, typical = (f"{round(float(mm), 1):g} mm" for mm in (gaps.max(), usual))
    return [f"slices are missing or uneven: {found} {widest}, usual {typical}"]


def _normal(header: Header) -> np.ndarray | None:
    """Normal of the image plane, LPS; None without ImageOrientationPatient."""
    axes = _axes(header)
    return None if axes is None else np.cross(*np.reshape(axes, (2, 3)))


def _across(normal: np.ndarray | None) -> tuple[list[str], bool]:
    """Warnings about slices that are not axial, and whether they are axial."""
    if normal is None or abs(normal[2]) == max(abs(normal)):
        return [], True
    said = "slices are not axial, but artifacts lie in axial ones: give the axial series"
    return [said], False


def _counted(reasons: Any) -> str:
    return ", ".join(f"{count} x {reason}" for reason, count in Counter(reasons).most_common())
