"""A PDF about a series as a DICOM object of the same study (Encapsulated PDF).

Source: DICOM PS3.3 section A.45.1 (the object), C.24 (its modules) and C.8.6.1 (SC Equipment).
"""

from __future__ import annotations

from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from unmetal.errors import InputError, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.dicom import provenance
from unmetal.files.dicom.derived_header import series_description, series_number
from unmetal.files.dicom.reading import tolerant
from unmetal.files.dicom.segmentation import content_time
from unmetal.files.dicom.structure_set import COPIED
from unmetal.files.dicom.writing import series_of
from unmetal.files.staging import replacing
from unmetal.scan import Volume
from unmetal.software import software

FRAME = {"FrameOfReferenceUID", "PositionReferenceIndicator"}
"""Of what a structure set shares with its source: a document lies nowhere."""


def write_pdf(volume: Volume, pdf: bytes, path: Path, derivation: Derivation, title: str) -> None:
    """Write a PDF that names nobody as an object of the study of a DICOM series.

    title: at most 1024 characters. Raises `InputError` where the source lacks something that the
    object needs, or the disk is full.
    """
    headers = [one.header for one in series_of(volume, path).slices]
    try:
        # Nothing half written stays where a node sends all that it finds.
        with tolerant(), replacing(path) as partial:
            _document(headers, pdf, derivation, title).save_as(partial, enforce_file_format=True)
    except Exception as error:
        reason = f"{type(error).__name__}: {short_error(error)}"
        raise InputError(f"{volume.path}: no PDF object can be made of it ({reason})") from error


def _document(headers: list[Dataset], pdf: bytes, derivation: Derivation, title: str) -> Dataset:
    first = headers[0]
    document = Dataset()
    for keyword in COPIED:
        if keyword in first and keyword not in FRAME:
            document[keyword] = first[keyword]
    document.SOPClassUID = EncapsulatedPDFStorage
    document.SOPInstanceUID = provenance.derived_uid(str(first.SOPInstanceUID), derivation)
    # Series and equipment. WSD: a workstation made it.
    document.Modality = "DOC"
    document.ConversionType = "WSD"
    document.SeriesInstanceUID = provenance.derived_uid(str(first.SeriesInstanceUID), derivation)
    document.SeriesNumber = series_number(first, derivation)
    document.SeriesDescription = series_description(
        str(first.get("SeriesDescription") or ""), derivation
    )
    document.Manufacturer = provenance.MAKER
    document.ManufacturerModelName = provenance.model_name(derivation)
    document.SoftwareVersions = software()
    document.ContributingEquipmentSequence = [provenance.processing_equipment(derivation)]
    # The document, and the images that it is about.
    document.InstanceNumber = 1
    document.ContentDate, document.ContentTime = content_time(first)
    document.AcquisitionDateTime = None
    document.BurnedInAnnotation = "NO"
    document.DocumentTitle = title
    document.VerificationFlag = "UNVERIFIED"
    document.ConceptNameCodeSequence = None
    document.SourceInstanceSequence = [_reference(header) for header in headers]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    # Of even length, as every value is (PS3.5 section 7.1); the length without what is appended.
    document.EncapsulatedDocumentLength = len(pdf)
    document.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return document


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item
