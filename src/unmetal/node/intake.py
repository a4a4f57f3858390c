"""What is taken into the spool, however it came: sound CT images, while there is room."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, DeflatedExplicitVRLittleEndian

from unmetal.node.config import Keeping
from unmetal.node.queue.arrivals import Arrivals, Instance, key

GIB = 1 << 30


class Intake:
    """The one way in."""

    def __init__(
        self, config: Keeping, arrivals: Arrivals, arrived: Callable[[], None] = lambda: None
    ) -> None:
        """arrived: called after every image."""
        self.config, self.arrivals, self.arrived = config, arrivals, arrived
        self.spool = arrivals.spool

    def take(
        self, content: bytes, *, instance_uid: str | None = None, expected: int | None = None
    ) -> tuple[Instance, bool]:
        """Spool a DICOM file; the image in it, and whether it was new.

        instance_uid: what the sender's command said it is. expected: images of its series.
        Raises `RefusedError` for what is no CT image, and while there is no room.
        """
        instance = identify(content, instance_uid=instance_uid, count_in=self.config.count_in)
        instance = replace(instance, expected=instance.expected or expected)
        if reason := self.refusal(instance.series):
            raise RefusedError(OUT_OF_RESOURCES, reason)
        try:
            new = self.arrivals.keep(instance)
        except OSError as error:
            raise RefusedError(OUT_OF_RESOURCES, "disk full") from error
        self.arrived()
        return instance, new

    def refusal(self, series: str | None = None) -> str:
        """Why nothing is taken now, or no image of this series; empty when it would be.

        A series that is half here may go on when the queue is full: it is in the queue already.
        """
        if shutil.disk_usage(self.spool.folder).free < self.config.min_free * GIB:
            return "disk full"
        counts = self.spool.counts()
        if sum(counts.values()) - counts["dead"] < self.config.queue:
            return ""
        return "" if series is not None and self.arrivals.is_open(series) else "queue full"


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
