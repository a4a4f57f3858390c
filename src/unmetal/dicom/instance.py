"""One image as it came in: whose it is in hashed form, and whether it can be one at all."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian

OUT_OF_RESOURCES = 0xA700
"""The status values of C-STORE that this node gives: PS3.4 section B.2.3 and table GG.4-2."""

NOT_OF_ITS_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000

LARGEST = 8192
"""Rows and columns: four times what any CT makes. A small compressed file may claim 65535 x 65535
pixels, and decoding these would take all memory."""


class RefusedError(Exception):
    """An object that is not taken: the DICOM status to answer, and a word for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Instance:
    """One image."""

    series: str
    """Hash of study and series: the name of its folder in the spool, and in the log."""

    name: str
    """Hash of its own UID: the name of its file."""

    content: bytes
    """A DICOM file (PS3.10)."""

    expected: int | None
    """Images in its series, where the sender says so."""


def identify(content: bytes, *, instance_uid: str | None = None, count_in: str = "") -> Instance:
    """The image in a DICOM file.

    instance_uid: what the command said it is, where there was one.
    count_in: keyword of the attribute that may hold the number of images of the series.
    Raises `RefusedError`: not a CT image, without UIDs, cut off, or not readable at all.
    """
    try:
        image = dcmread(BytesIO(content))
        _require_sound(image, instance_uid)
        return Instance(
            key(image.StudyInstanceUID, image.SeriesInstanceUID),
            key(image.SOPInstanceUID) + ".dcm",
            content,
            _count(image.get(count_in) if count_in else None),
        )
    except RefusedError:
        raise
    except Exception as error:  # pydicom raises whatever its parser stumbles over
        raise RefusedError(CANNOT_UNDERSTAND, "cannot be read") from error


def key(*uids: str) -> str:
    """A name for UIDs that says nothing: half a SHA-256, in hexadecimal.

    It makes file names of what strangers send, so it may hold nothing of theirs.
    """
    return hashlib.sha256("\n".join(str(uid) for uid in uids).encode()).hexdigest()[:32]


def _require_sound(image: Dataset, instance_uid: str | None) -> None:
    if image.get("SOPClassUID") != CTImageStorage:
        raise RefusedError(NOT_OF_ITS_CLASS, "not a CT image")
    if instance_uid is not None and image.get("SOPInstanceUID") != instance_uid:
        raise RefusedError(NOT_OF_ITS_CLASS, "another UID than the command's")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        uid = image.get(keyword)
        if not isinstance(uid, str) or not 0 < len(uid) <= 64:
            raise RefusedError(CANNOT_UNDERSTAND, "without UIDs")
    syntax = image.file_meta.TransferSyntaxUID
    if syntax == DeflatedExplicitVRLittleEndian:
        raise RefusedError(CANNOT_UNDERSTAND, "deflated")
    rows, columns, bits = (int(image[word].value) for word in ("Rows", "Columns", "BitsAllocated"))
    if not (0 < rows <= LARGEST and 0 < columns <= LARGEST):
        raise RefusedError(CANNOT_UNDERSTAND, "no image of a CT's size")
    pixels = len(image.PixelData)
    if pixels == 0 or (not syntax.is_encapsulated and pixels < rows * columns * bits // 8):
        raise RefusedError(CANNOT_UNDERSTAND, "pixels cut off")


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int) and value > 0 else None
