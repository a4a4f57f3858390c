"""The header of a derived image: everything copied from its source, and what makes it derived.

DICOM PS3.3 sections C.7.6.1 (General Image, Derivation) and C.7.3.1 (General Series). The study,
the frame of reference and the geometry stay, so that viewers link both series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import HTJ2K, JPEG2000, CTImageStorage, JPEGBaseline8Bit, JPEGLSNearLossless

from unmetal.files.derivation import Derivation
from unmetal.files.dicom.provenance import add_provenance, derived_uid

SUFFIXES = {
    "MAR_DIFFERENCE": " difference",
    "MAR_METAL": " metal",
    "MAR_CONTOURS": " metal contours",
    "MAR_REPORT": " report",
    "SIMULATED": " SIMULATED",
}
"""What stands behind the method in SeriesDescription, by value 4 of ImageType."""

STEPS = {"MAR_DIFFERENCE": 2, "MAR_METAL": 3, "MAR_CONTOURS": 4, "MAR_REPORT": 5}
"""How many times the offset is added to SeriesNumber, where not once."""

TITLE = 16
"""Characters of the source's SeriesDescription that are kept before warnings are."""

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
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelDataProviderURL",
    "InstanceCreationDate",
    "InstanceCreationTime",
    "InstanceCreatorUID",
)
"""Elements that describe or sign the pixels or the file of the source."""

LOSSY = {
    JPEGBaseline8Bit: "ISO_10918_1",
    JPEGLSNearLossless: "ISO_14495_1",
    JPEG2000: "ISO_15444_1",
    HTJ2K: "ISO_15444_15",
}
"""Encodings that lose something, unless the header says that here they did not, and their
LossyImageCompressionMethod (PS3.3 C.7.6.1.1.5.1)."""

_NONE = DataElement(0x60000040, "CS", "")


def derived_header(source: Dataset, derivation: Derivation, instance: str) -> Dataset:
    """A new header without pixels and file meta; `source` is not touched.

    instance: the text of `instance_keys`, which the new SOPInstanceUID follows from.
    """
    image = deepcopy(source)
    if source.original_encoding[1] is False:
        image.walk(_swap_words)
        # Every value is decoded now: without this pydicom refuses to write little endian.
        image.set_original_encoding(False, True, source.original_character_set)
    _drop(image, derivation)
    _identify(image, source, derivation, instance)
    _describe(image, source, derivation)
    add_provenance(image, source, derivation)
    return image


def series_description(text: str, derivation: Derivation) -> str:
    """SeriesDescription: the source's as far as 64 characters let it, what made this one, and
    the warnings that fit, `!size,flips,+1`."""
    suffix = f" [unmetal {derivation.method[:24]}{SUFFIXES.get(derivation.kind, '')} - research]"
    room = 64 - len(suffix)
    warned = _listed(derivation.warnings, room - min(len(text), TITLE))
    return (text[: room - len(warned)].rstrip() + suffix + warned).strip()


def series_number(source: Dataset, derivation: Derivation) -> int:
    """Within the 12 characters and 31 bits of an IS."""
    before = int(source.get("SeriesNumber") or 0)
    return min(before + derivation.series_offset * STEPS.get(derivation.kind, 1), 2**31 - 1)


def instance_keys(sources: Sequence[Dataset]) -> list[str]:
    """A text for each image that no other image of the series has: its UID; without one, or with
    one that is not unique, its place as well."""
    uids = [str(source.get("SOPInstanceUID", "")) for source in sources]
    count = Counter(uids)
    return [
        uid if uid and count[uid] == 1 else f"{uid} {source.get('SeriesInstanceUID', '')} {place}"
        for place, (uid, source) in enumerate(zip(uids, sources, strict=True))
    ]


def _listed(keys: tuple[str, ...], room: int) -> str:
    """As many keys as fit into `room` characters, and how many did not: ` !size,+2`."""
    for count in range(len(keys), -1, -1):
        rest = [f"+{len(keys) - count}"] if count < len(keys) else []
        text = " !" + ",".join([*keys[:count], *rest])
        if len(text) <= room and keys:
            return text
    return ""


def _drop(image: Dataset, derivation: Derivation) -> None:
    for keyword in STALE:
        image.pop(keyword, None)
    for group in {tag.group for tag in image.keys() if 0x6000 <= tag.group <= 0x60FF}:  # noqa: SIM118
        # Overlays that lie in unused bits of the pixels, or state their mean (PS3.3 C.9.2).
        if (group, 0x3000) not in image or image.get((group, 0x0040), _NONE).value == "R":
            del image[group << 16 : (group + 1) << 16]
    if derivation.private == "drop":
        image.remove_private_tags()


def _identify(image: Dataset, source: Dataset, derivation: Derivation, instance: str) -> None:
    image.SOPClassUID = source.get("SOPClassUID", CTImageStorage)
    image.SeriesInstanceUID = derived_uid(str(source.get("SeriesInstanceUID", "")), derivation)
    image.SOPInstanceUID = derived_uid(instance, derivation)
    image.SeriesNumber = series_number(source, derivation)


def _describe(image: Dataset, source: Dataset, derivation: Derivation) -> None:
    kept = list(source.get("ImageType") or ())[2:3] or ["AXIAL"]
    image.ImageType = ["DERIVED", "SECONDARY", *kept, derivation.kind]
    title = str(source.get("SeriesDescription") or "")
    image.SeriesDescription = series_description(title, derivation)
    syntax = source.file_meta.get("TransferSyntaxUID")
    if syntax in LOSSY and not source.get("LossyImageCompression"):
        image.LossyImageCompression = "01"
        image.LossyImageCompressionMethod = LOSSY[syntax]


def _swap_words(_: Dataset, element: DataElement) -> None:
    """Turn big-endian words around; pydicom does so for every other kind of value."""
    if element.VR in WORDS and element.value:
        element.value = np.frombuffer(element.value, WORDS[element.VR]).byteswap().tobytes()
