"""The header of a derived image: everything copied from its source, and what makes it derived.

DICOM PS3.3 sections C.7.6.1 (General Image, Derivation) and C.7.3.1 (General Series). The study,
the frame of reference and the geometry stay, so that viewers link both series.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid

from unmetal.data.derivation import Derivation

SERIES_OFFSET = 1000
"""Added to SeriesNumber, so that the derived series sorts below the scanner's own."""

WORDS = {"OW": "u2", "OF": "u4", "OL": "u4", "OD": "u8", "OV": "u8"}
"""Value representations that are plain words, with their width (PS3.5 section 6.2)."""

STALE = (
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "IconImageSequence",
    "DataSetTrailingPadding",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
)
"""True of the source's pixels only, or sealing them."""


def derived(source: Dataset, derivation: Derivation) -> Dataset:
    """A new header without pixels; `source` is not touched."""
    image = deepcopy(source)
    if source.original_encoding[1] is False:
        image.walk(_swap_words)
        # Every value is decoded now: without this pydicom refuses to write little endian.
        image.set_original_encoding(False, True, source.original_character_set)
    for keyword in STALE:
        if keyword in image:
            delattr(image, keyword)
    _identify(image, source, derivation)
    _describe(image, source, derivation)
    image.SourceImageSequence = Sequence([_reference(source)])
    image.file_meta = _file_meta(image)
    return image


def derived_uid(source: str, derivation: Derivation) -> UID:
    """A UID that depends on the source's and on what was done, so that a second run writes the
    same objects and an archive does not fill with copies."""
    return generate_uid(entropy_srcs=[source, derivation.method, derivation.description])


def _identify(image: Dataset, source: Dataset, derivation: Derivation) -> None:
    series, instance = source.get("SeriesInstanceUID", ""), source.get("SOPInstanceUID", "")
    image.SOPClassUID = source.get("SOPClassUID", CTImageStorage)
    image.SeriesInstanceUID = derived_uid(str(series), derivation)
    image.SOPInstanceUID = derived_uid(str(instance), derivation)
    image.SeriesNumber = int(source.get("SeriesNumber") or 0) + SERIES_OFFSET


def _describe(image: Dataset, source: Dataset, derivation: Derivation) -> None:
    kept = list(source.get("ImageType") or ())[2:3] or ["AXIAL"]
    image.ImageType = ["DERIVED", "SECONDARY", *kept, derivation.kind]
    suffix = f" [unmetal {derivation.method[:32]} - research]"
    title = str(source.get("SeriesDescription") or "")[: 64 - len(suffix)].rstrip()
    image.SeriesDescription = (title + suffix).strip()
    image.DerivationDescription = derivation.description[:1024]


def _reference(source: Dataset) -> Dataset:
    """The source image, and what it was used for (PS3.16 CID 7202)."""
    purpose = Dataset()
    purpose.CodeValue = "121322"
    purpose.CodingSchemeDesignator = "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    reference = Dataset()
    reference.ReferencedSOPClassUID = source.get("SOPClassUID", CTImageStorage)
    reference.ReferencedSOPInstanceUID = source.get("SOPInstanceUID", "")
    reference.PurposeOfReferenceCodeSequence = Sequence([purpose])
    reference.SpatialLocationsPreserved = "YES"
    return reference


def _swap_words(_: Dataset, element: DataElement) -> None:
    """Turn big-endian words around; pydicom does so for every other kind of value."""
    if element.VR in WORDS and element.value:
        element.value = np.frombuffer(element.value, WORDS[element.VR]).byteswap().tobytes()


def _file_meta(image: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta
