"""Provenance of a derived image: codes, sequences and UIDs.

DICOM PS3.3 sections C.7.6.1.1.3 and C.12.4 (General Image and Derivation Image), C.12.1 (SOP
Common: Contributing Equipment); the fields of IHE AI Results (AIR) 1.1, section 6.5.3.1.
"""

from __future__ import annotations

import json

from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage, generate_uid

from unmetal.files.derivation import Derivation
from unmetal.software import software

MAKER = "unmetal"

SCHEME = "99UNMETAL"
"""Coding scheme of our own codes: CID 7203, Image Derivation, has none for metal artifact
reduction, and may be extended."""

MEANINGS = {
    "MAR": "Metal artifact reduction",
    "MAR_DIFFERENCE": "Change by metal artifact reduction",
    "MAR_METAL": "Metal segmentation",
    "MAR_CONTOURS": "Metal contours",
    "MAR_REPORT": "Metal artifact reduction report",
    "SIMULATED": "Simulated metal artifact",
}
"""Code value, which is value 4 of ImageType -> code meaning."""

REDUCED = {value: said for value, said in MEANINGS.items() if value.startswith("MAR")}
"""Kinds of results, which must not be reduced again."""

SCANNER = (
    "Manufacturer",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "SoftwareVersions",
    "StationName",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "SpatialResolution",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
)
"""What an image says about its scanner and a contributing-equipment item may repeat."""

REPLACED = ("DeviceSerialNumber", "SpatialResolution", "DeviceUID", "UDISequence")
"""Elements of the General Equipment module that are true of the scanner only."""


def coded_item(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def derived_uid(source: str, derivation: Derivation) -> UID:
    """A UID hashed from the source's and the derivation: a second run writes the same objects, so
    that an archive does not fill with copies."""
    # As JSON, for pydicom joins its sources: "1.2" + "3" is no other text than "1." + "23".
    return generate_uid(entropy_srcs=[json.dumps([source, *derivation.entropy])])


def add_provenance(image: Dataset, source: Dataset, derivation: Derivation) -> None:
    """Write into `image` from what it was made, how, and by which software."""
    said = f"{derivation.description} {derivation.outcome}".strip()
    image.DerivationDescription = said[:1024]
    meaning = MEANINGS.get(derivation.kind, derivation.kind)
    image.DerivationCodeSequence = [coded_item(derivation.kind, SCHEME, meaning)]
    if source.get("SOPInstanceUID"):
        image.SourceImageSequence = [source_reference(source)]
    made_by = list(source.get("ContributingEquipmentSequence") or ())
    if derivation.equipment == "replace":
        made_by.append(acquisition_equipment(source))
        _replace_equipment(image, derivation)
    image.ContributingEquipmentSequence = [*made_by, processing_equipment(derivation)]
    known = list(source.get("CodingSchemeIdentificationSequence") or ())
    others = [item for item in known if item.get("CodingSchemeDesignator") != SCHEME]
    image.CodingSchemeIdentificationSequence = [*others, coding_scheme()]


def source_reference(source: Dataset) -> Dataset:
    """The source image, and what it was used for (PS3.16 CID 7202)."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.get("SOPClassUID", CTImageStorage)
    item.ReferencedSOPInstanceUID = source.get("SOPInstanceUID", "")
    purpose = coded_item("121322", "DCM", "Source image for image processing operation")
    item.PurposeOfReferenceCodeSequence = [purpose]
    item.SpatialLocationsPreserved = "YES"
    return item


def processing_equipment(derivation: Derivation) -> Dataset:
    """This software as contributing equipment. No date: a second run makes the same object."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded_item("109102", "DCM", "Processing Equipment")]
    item.Manufacturer = MAKER
    item.ManufacturerModelName = model_name(derivation)
    item.SoftwareVersions = software()
    # Changes with each trained model; without weights, with the method and its version.
    model = derivation.weights or f"{software()} {derivation.method}"
    item.DeviceUID = generate_uid(entropy_srcs=[model])
    item.ContributionDescription = f"{MEANINGS.get(derivation.kind, 'MAR')}. RESEARCH USE ONLY"
    return item


def model_name(derivation: Derivation) -> str:
    """The method, as ManufacturerModelName."""
    return f"{MAKER} {derivation.method}"[:64]


def acquisition_equipment(source: Dataset) -> Dataset:
    """The source's scanner as contributing equipment."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded_item("109101", "DCM", "Acquisition Equipment")]
    item.Manufacturer = "unknown"  # of type 1: it may not be empty here
    for keyword in SCANNER:
        if source.get(keyword):
            item[keyword] = source[keyword]
    return item


def coding_scheme() -> Dataset:
    """What the designator of our own codes stands for."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = "Codes of the open-source software unmetal"
    item.CodingSchemeVersion = "1"
    return item


def made_by_unmetal(image: Dataset) -> bool:
    """Whether an image came of a reduction by unmetal; what it simulated may be reduced."""
    codes = image.get("DerivationCodeSequence") or ()
    made_by = image.get("ContributingEquipmentSequence") or ()
    return any(
        item.get("CodingSchemeDesignator") == SCHEME and str(item.get("CodeValue")) in REDUCED
        for item in codes
    ) or any(
        item.get("Manufacturer") == MAKER
        and str(item.get("ContributionDescription")).startswith(tuple(REDUCED.values()))
        for item in made_by
    )


def _replace_equipment(image: Dataset, derivation: Derivation) -> None:
    for keyword in REPLACED:
        image.pop(keyword, None)
    image.Manufacturer = MAKER
    image.ManufacturerModelName = model_name(derivation)
    image.SoftwareVersions = software()
