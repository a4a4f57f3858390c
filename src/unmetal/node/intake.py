"""Admission to the spool, for C-STORE and DICOMweb alike: sound CT images, while there is room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian

from unmetal.errors import InputError
from unmetal.files.dicom.pixels import require_matrix
from unmetal.node.config import StorageConfig
from unmetal.node.queue.arrivals import Arrivals, Instance, uid_hash

# The failure statuses of C-STORE that this node gives (PS3.4 section B.2.3 and table GG.4-2).
OUT_OF_RESOURCES = 0xA700
NOT_OF_ITS_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000


class RefusedError(Exception):
    """An object that is not taken: the DICOM status to answer, and a reason for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Intake:
    """The only way into the spool."""

    def __init__(
        self, config: StorageConfig, arrivals: Arrivals, arrived: Callable[[], None] = lambda: None
    ) -> None:
        """arrived: called after every image."""
        self.config, self.arrivals, self.arrived = config, arrivals, arrived
        self.spool = arrivals.spool

    def take(
        self, content: bytes, *, instance_uid: str | None = None, expected: int | None = None
    ) -> tuple[Instance, bool]:
        """Put a DICOM file into the spool; returns its image, and whether it was new.

        instance_uid: what the sender announced. expected: number of images of its series.
        Raises `RefusedError` for what is no CT image, and while there is no room.
        """
        instance = parse_instance(content, instance_uid=instance_uid)
        instance = replace(instance, expected=instance.expected or expected)
        if reason := self.refusal(instance.series):
            raise RefusedError(OUT_OF_RESOURCES, reason)
        try:
            new = self.arrivals.store(instance)
        except OSError as error:
            raise RefusedError(OUT_OF_RESOURCES, "disk full") from error
        self.arrived()
        return instance, new

    def refusal(self, series: str | None = None) -> str:
        """Why images are refused now, or those of one series; empty when they are taken.

        A series of which images are here may go on when the queue is full: it counts already.
        """
        if self.spool.free_bytes() < self.config.min_free * (1 << 30):
            return "disk full"
        counts = self.spool.counts()
        if sum(counts.values()) - counts["dead"] < self.config.queue:
            return ""
        return "" if series in self.arrivals.receiving else "queue full"


def parse_instance(content: bytes, *, instance_uid: str | None = None) -> Instance:
    """The image in a DICOM file.

    instance_uid: SOP Instance UID that the sender announced.
    Raises `RefusedError`: not a CT image, without UIDs, too large, cut off, or not readable.
    """
    try:
        image = dcmread(BytesIO(content))
        _check(image, instance_uid)
        expected = image.get("NumberOfSeriesRelatedInstances")
        return Instance(
            uid_hash(image.StudyInstanceUID, image.SeriesInstanceUID),
            uid_hash(image.SOPInstanceUID) + ".dcm",
            content,
            int(expected) if isinstance(expected, int) and expected > 0 else None,
        )
    except RefusedError:
        raise
    except Exception as error:  # pydicom raises errors of many classes for damaged files
        raise RefusedError(CANNOT_UNDERSTAND, "cannot be read") from error


def _check(image: Dataset, instance_uid: str | None) -> None:
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
    try:
        # The reader's own limit: what it would refuse is not answered with success. A small
        # compressed file may claim 65535 x 65535 pixels, whose decoding takes all memory.
        require_matrix(image, "image")
    except InputError as error:
        raise RefusedError(CANNOT_UNDERSTAND, "no image of a CT's size") from error
    if rows <= 0 or columns <= 0:
        raise RefusedError(CANNOT_UNDERSTAND, "no image of a CT's size")
    pixels = len(image.PixelData)
    if pixels == 0 or (not syntax.is_encapsulated and pixels < rows * columns * bits // 8):
        raise RefusedError(CANNOT_UNDERSTAND, "pixels cut off")
