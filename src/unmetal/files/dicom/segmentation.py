"""A mask as a DICOM segmentation object, through highdicom (the extra `dicom`)."""

from __future__ import annotations

from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from unmetal.errors import InputError, install_extra, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.dicom import provenance
from unmetal.files.dicom.derived_header import series_description, series_number
from unmetal.files.dicom.reading import tolerant
from unmetal.files.dicom.writing import series_of
from unmetal.scan import Volume
from unmetal.software import software

TYPE_2 = (
    "AccessionNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)

FALLBACK_DATE = "19000101"
"""Date of content where the source has none: one that depends on the day would make the same
object differ from run to run."""


def write_mask(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """One binary segment, its empty frames left out; `mask` is bool `[slices H W]`, not empty.

    Raises `InputError`: see `check_mask`; or the source lacks something else that it needs.
    """
    check_mask(volume)
    slices = series_of(volume, path).slices
    try:
        with tolerant():
            headers = [_with_type_2(one.header) for one in slices]
            image = _segmentation(headers, mask, derivation)
            _make_deterministic(image, headers[0], derivation)
            _drop_added(image, slices[0].header)
            image.save_as(path, enforce_file_format=True)
    except Exception as error:
        reason = f"{type(error).__name__}: {short_error(error)}"
        raise InputError(f"{volume.path}: no segmentation can be made of it ({reason})") from error


def check_mask(volume: Volume) -> None:
    """Raise `InputError` early, where highdicom or the series' frame of reference is missing."""
    if find_spec("highdicom") is None:
        raise InputError(f"--save-metal: {install_extra('highdicom', 'dicom')}")
    require_frame_uid(volume)


def require_frame_uid(volume: Volume) -> None:
    """Raise `InputError` for a series without the frame of reference that its metal must share."""
    if not all(one.header.get("FrameOfReferenceUID") for one in volume.source.slices):
        raise InputError(
            f"{volume.path}: has no FrameOfReferenceUID, which a segmentation must share: leave "
            "out --save-metal"
        )


def content_time(source: Dataset) -> tuple[str, str]:
    """Date and time of an object made of `source`: the source's, not those of the day."""
    date = source.get("ContentDate") or source.get("StudyDate") or FALLBACK_DATE
    return date, source.get("ContentTime") or source.get("StudyTime") or "000000"


def _with_type_2(source: Dataset) -> Dataset:
    """A copy with what highdicom asks of every image, empty where it is unknown (type 2)."""
    header = deepcopy(source)
    for keyword in TYPE_2:
        if keyword not in header:
            setattr(header, keyword, None)
    if "SpacingBetweenSlices" in header and not float(header.SpacingBetweenSlices or 0) > 0:
        del header.SpacingBetweenSlices
    return header


def _drop_added(image: Dataset, source: Dataset) -> None:
    """Remove the empty elements that `_with_type_2` added, which the source does not have."""
    for keyword in TYPE_2:
        if keyword not in source:
            image.pop(keyword, None)


def _segmentation(headers: list[Dataset], mask: np.ndarray, derivation: Derivation) -> Any:
    from highdicom import seg  # noqa: PLC0415

    first = headers[0]
    title = str(first.get("SeriesDescription") or "")
    return seg.Segmentation(
        source_images=headers,
        pixel_array=mask.astype(np.uint8),
        segmentation_type=seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(derivation)],
        series_instance_uid=_uid(first, "SeriesInstanceUID", derivation),
        series_number=series_number(first, derivation),
        sop_instance_uid=_uid(first, "SOPInstanceUID", derivation),
        instance_number=1,
        manufacturer=provenance.MAKER,
        manufacturer_model_name=provenance.model_name(derivation),
        software_versions=software(),
        device_serial_number=derivation.weights[:16] or "0",
        content_label="METAL",
        content_description=f"Metal, {_found(derivation)}. RESEARCH USE ONLY",
        series_description=series_description(title, derivation),
    )


def _found(derivation: Derivation) -> str:
    return "given as a mask" if derivation.metal_given else "found by unmetal"


def _segment(derivation: Derivation) -> Any:
    from highdicom import AlgorithmIdentificationSequence, seg  # noqa: PLC0415
    from pydicom.sr.codedict import codes  # noqa: PLC0415  (0.1 s, which no reader need wait)

    kinds = seg.SegmentAlgorithmTypeValues
    algorithm = AlgorithmIdentificationSequence(
        name="metal search", version=software(), family=codes.DCM.ImageProcessing
    )
    return seg.SegmentDescription(
        segment_number=1,
        segment_label="Metal",
        segmented_property_category=codes.SCT.PhysicalObject,
        segmented_property_type=codes.SCT.Implant,
        # Whether a person drew what was given, or a program, nobody says here.
        algorithm_type=kinds.MANUAL if derivation.metal_given else kinds.AUTOMATIC,
        algorithm_identification=None if derivation.metal_given else algorithm,
        tracking_uid=provenance.derived_uid("metal", derivation),
        tracking_id="unmetal metal",
    )


def _uid(source: Dataset, keyword: str, derivation: Derivation) -> str:
    return provenance.derived_uid(str(source.get(keyword, "")), derivation)


def _make_deterministic(image: Dataset, source: Dataset, derivation: Derivation) -> None:
    """Replace random UIDs and the time of writing, so that a second run makes the same object."""
    for keyword in ("InstanceCreationDate", "InstanceCreationTime", "SeriesDate", "SeriesTime"):
        image.pop(keyword, None)
    image.ContentDate, image.ContentTime = content_time(source)
    made_by = list(image.get("ContributingEquipmentSequence") or ())
    for item in made_by:
        item.pop("ContributionDateTime", None)
    image.ContributingEquipmentSequence = [*made_by, provenance.processing_equipment(derivation)]
    dimensions = provenance.derived_uid(f"dimensions {image.SOPInstanceUID}", derivation)
    for item in (*image.DimensionOrganizationSequence, *image.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions
