"""A mask as an RT Structure Set (RTSTRUCT), and back: closed contours on the slices of a series.

Source: DICOM PS3.3 section A.19.3 (the object) and C.8.8.5, C.8.8.6, C.8.8.8 (its modules).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage

from unmetal.errors import InputError, short_error
from unmetal.files.contours import filled, outlines
from unmetal.files.derivation import Derivation
from unmetal.files.dicom import provenance
from unmetal.files.dicom.derived_header import series_description, series_number
from unmetal.files.dicom.metal_names import metal_names
from unmetal.files.dicom.reading import tolerant
from unmetal.files.dicom.segmentation import content_time, require_frame_uid
from unmetal.files.dicom.writing import series_of
from unmetal.files.slice_planes import TOLERANCE, SlicePlanes, planes_of
from unmetal.scan import Volume
from unmetal.software import software

COPIED = (
    "SpecificCharacterSet",
    "TimezoneOffsetFromUTC",
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientComments",
    "AdditionalPatientHistory",
    "AdmittingDiagnosesDescription",
    "EthnicGroup",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientBirthTime",
    "PatientSexNeutered",
    "PatientSpeciesDescription",
    "PatientBreedDescription",
    "QualityControlSubject",
    "MedicalAlerts",
    "Allergies",
    "SmokingStatus",
    "PregnancyStatus",
    "PatientState",
    "Occupation",
    "ProcedureCodeSequence",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "LongitudinalTemporalOffsetFromEvent",
    "LongitudinalTemporalEventType",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
)
"""What the object shares with its source: patient, study and frame of reference."""

STUDY = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management, the retired SOP class by which structure sets refer to a study."""

CLOSED = {"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"}
"""Geometric types of contours that enclose something; of both, one within another is a hole."""

COLOR = [255, 0, 0]

DIGITS = 3
"""Decimals of coordinates in mm: a thousandth of a millimeter is no part of a pixel."""

log = logging.getLogger("unmetal")


def write_contours(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """One region of interest, `Metal`: `mask`, bool `[slices H W]`, outlined on each slice.

    Raises `InputError` where the source lacks something that the object needs.
    """
    slices, planes = series_of(volume, path).slices, planes_of(volume)
    headers = [one.header for one in slices]
    require_frame_uid(volume)
    if planes is None:
        raise InputError(f"{volume.path}: its slices have no position, which contours need")
    try:
        with tolerant():
            image = _structure_set(headers, mask, planes, derivation)
            # Without explicit VR, in which a contour could not exceed 64 KiB (PS3.5 section 7.1.2).
            image.save_as(path, enforce_file_format=True)
    except Exception as error:
        reason = f"{type(error).__name__}: {short_error(error)}"
        raise InputError(f"{volume.path}: no contours can be made of it ({reason})") from error


def roi_mask(dataset: Dataset, volume: Volume, planes: SlicePlanes, where: str) -> np.ndarray:
    """bool `[slices H W]`: the regions of interest whose names speak of metal, or the only one.

    Raises `InputError` about `where` for none of them, with the names there are, and for contours
    that do not lie on slices of the series.
    """
    regions = list(dataset.get("StructureSetROISequence") or ())
    names = [str(region.get("ROIName", "")) for region in regions]
    chosen = metal_names(names) or ([0] if len(regions) == 1 else [])
    if not chosen:
        listed = ", ".join(sorted(names)) or "none"
        raise InputError(
            f"{where}: which region is the metal? Call it one that has `metal` in its name; there "
            f"are: {listed}"
        )
    frames = [str(regions[i].get("ReferencedFrameOfReferenceUID", "")) for i in chosen]
    require_frame(frames, volume, where)
    shape = volume.hu.shape
    mask = np.zeros(shape, bool)
    for place in chosen:
        number = regions[place].ROINumber
        polygons = _polygons(dataset, number, planes, shape, where)
        for index, its in polygons.items():
            mask[index] |= filled(its, (shape[1], shape[2]))
    taken = ", ".join(names[place] for place in chosen)
    log.info("%s: %d of %d regions are metal: %s", where, len(chosen), len(regions), taken)
    return mask


def require_frame(frames: Sequence[str], volume: Volume, where: str) -> None:
    """Raise `InputError` about `where` unless all frames of reference are that of the series."""
    own = str(volume.source.slices[0].header.get("FrameOfReferenceUID") or "")
    if not own or set(frames) != {own}:
        raise InputError(
            f"{where}: does not fit the series: it lies in another frame of reference: give a mask "
            "of this series"
        )


def _polygons(
    dataset: Dataset, number: int, planes: SlicePlanes, shape: tuple[int, ...], where: str
) -> dict[int, list[np.ndarray]]:
    """Index of a slice -> the closed contours of a region there, float `[n 2]` (row, column)."""
    found: dict[int, list[np.ndarray]] = {}
    for contour in _closed_contours(dataset, number):
        points = np.array(contour.ContourData, float).reshape(-1, 3)
        nearest, off, pixels = planes.to_pixels(points)
        if len(set(nearest.tolist())) > 1 or np.abs(off).max() > TOLERANCE:
            raise InputError(
                f"{where}: does not fit the series: a contour at {points[0]} mm lies on no slice: "
                "give contours of this series"
            )
        # The outline of what touches the border runs half a pixel outside.
        if (pixels < -1).any() or (pixels > shape[1:]).any():
            raise InputError(
                f"{where}: does not fit the series: a contour at {points[0]} mm lies outside of "
                "the slice: give contours of this series"
            )
        found.setdefault(int(nearest[0]), []).append(pixels)
    return found


def _closed_contours(dataset: Dataset, number: int) -> Iterator[Dataset]:
    """The contours of a region that enclose something."""
    for region in dataset.get("ROIContourSequence") or ():
        if region.ReferencedROINumber == number:
            for contour in region.get("ContourSequence") or ():
                if contour.get("ContourGeometricType") in CLOSED and contour.get("ContourData"):
                    yield contour


def _structure_set(
    headers: list[Dataset], mask: np.ndarray, planes: SlicePlanes, derivation: Derivation
) -> Dataset:
    first = headers[0]
    image = Dataset()
    for keyword in COPIED:
        if keyword in first:
            image[keyword] = first[keyword]
    image.SOPClassUID = RTStructureSetStorage
    image.SOPInstanceUID = provenance.derived_uid(str(first.SOPInstanceUID), derivation)
    # Series and equipment.
    image.Modality = "RTSTRUCT"
    image.SeriesInstanceUID = provenance.derived_uid(str(first.SeriesInstanceUID), derivation)
    image.SeriesNumber = series_number(first, derivation)
    image.SeriesDescription = series_description(
        str(first.get("SeriesDescription") or ""), derivation
    )
    image.OperatorsName = None
    image.InstanceNumber = 1
    image.Manufacturer = provenance.MAKER
    image.ManufacturerModelName = provenance.model_name(derivation)
    image.SoftwareVersions = software()
    image.ContributingEquipmentSequence = [provenance.processing_equipment(derivation)]
    # The structure set: what it was drawn on, and its one region.
    image.StructureSetLabel = "METAL"
    image.StructureSetDate, image.StructureSetTime = content_time(first)
    image.ReferencedFrameOfReferenceSequence = [_frame_of_reference(headers)]
    image.StructureSetROISequence = [_region(first, derivation)]
    image.ROIContourSequence = [_contours(headers, mask, planes)]
    image.RTROIObservationsSequence = [_observation()]
    image.ApprovalStatus = "UNAPPROVED"
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return image


def _frame_of_reference(headers: list[Dataset]) -> Dataset:
    """The frame of reference, and in it the study, the series and its images."""
    first = headers[0]
    series = Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ContourImageSequence = [_reference(header) for header in headers]
    study = Dataset()
    study.ReferencedSOPClassUID = STUDY
    study.ReferencedSOPInstanceUID = first.StudyInstanceUID
    study.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [study]
    return frame


def _region(first: Dataset, derivation: Derivation) -> Dataset:
    region = Dataset()
    region.ROINumber = 1
    region.ReferencedFrameOfReferenceUID = first.FrameOfReferenceUID
    region.ROIName = "Metal"
    how = "as it was given" if derivation.metal_given else "found by unmetal"
    region.ROIDescription = f"Metal, {how}. RESEARCH USE ONLY"
    region.ROIGenerationAlgorithm = "" if derivation.metal_given else "AUTOMATIC"
    return region


def _contours(headers: list[Dataset], mask: np.ndarray, planes: SlicePlanes) -> Dataset:
    region = Dataset()
    region.ReferencedROINumber = 1
    region.ROIDisplayColor = COLOR
    region.ContourSequence = [
        _contour(headers[index], planes.to_patient(int(index), polygon))
        for index in np.flatnonzero(mask.any((1, 2)))
        for polygon in outlines(mask[index])
    ]
    return region


def _contour(header: Dataset, points: np.ndarray) -> Dataset:
    """A closed contour through points `[n 3]`, mm."""
    contour = Dataset()
    contour.ContourImageSequence = [_reference(header)]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points)
    # Texts of at most 16 characters; + 0.0 because -0 is 0.
    contour.ContourData = [f"{mm:.{DIGITS}f}" for mm in (points.round(DIGITS) + 0.0).ravel()]
    return contour


def _observation() -> Dataset:
    """What the region is: an implant; there is no interpreted type for metal (C.8.8.8)."""
    observation = Dataset()
    observation.ObservationNumber = 1
    observation.ReferencedROINumber = 1
    observation.RTROIIdentificationCodeSequence = [
        provenance.coded_item("40388003", "SCT", "Implant")
    ]
    observation.RTROIInterpretedType = ""
    observation.ROIInterpreter = None
    return observation


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item
