"""Received images, written to the spool, and when the series that they belong to is complete."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from unmetal.node.queue import durable
from unmetal.node.queue.job import Job
from unmetal.node.queue.spool import Spool


@dataclass(frozen=True)
class Instance:
    """One received image."""

    series: str
    """Hash of its study and series UID: the name of the series in the spool and in the log."""

    name: str
    """Hash of its SOP Instance UID: its file name in the spool."""

    content: bytes
    """A DICOM file (PS3.10)."""

    expected: int | None
    """Number of images in its series, where the sender states it."""


@dataclass(frozen=True)
class ReceivingSeries:
    """A series of which images are here and more may come."""

    last_arrival: float
    """Time of the last image, in seconds of the clock."""

    expected: int | None = None
    """Number of its images, where a sender states it."""

    broken_off: bool = False
    """Whether a sender's connection broke and nothing came since."""


class Arrivals:
    """Writes images to `receiving/`, and moves complete series on to `waiting/`."""

    def __init__(
        self, spool: Spool, quiet_time: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """quiet_time: seconds without a new image after which a series counts as complete.

        Series that the last process left in `receiving/` wait for the whole quiet time again.
        """
        self.spool, self.quiet_time, self.clock = spool, quiet_time, clock
        self.folder = spool.folder / "receiving"
        self.receiving = {path.name: ReceivingSeries(clock()) for path in self.folder.iterdir()}
        """By name: series of which images are here and more may come."""

    def store(self, instance: Instance) -> bool:
        """Write an image to the disk, synced; False for a copy of one that is here or was dealt
        with, whose content is not compared. Raises OSError, and then leaves nothing behind."""
        if self._is_copy(instance):
            return False
        part = self.spool.folder / "arriving" / uuid.uuid4().hex
        try:
            durable.write_synced(part, instance.content)
            with self.spool.lock:
                if self._is_copy(instance):
                    return False
                images = self.folder / instance.series / "images"
                durable.mkdir(images)
                durable.publish(part, images / instance.name)
                self._note(instance)
        finally:
            part.unlink(missing_ok=True)
        return True

    def mark_broken_off(self, series: set[str]) -> None:
        """Note that a connection which brought images of these ended without a release."""
        with self.spool.lock:
            for name in series & self.receiving.keys():
                self.receiving[name] = replace(self.receiving[name], broken_off=True)

    def complete(self) -> list[Job]:
        """Move every complete series to `waiting/`, and return their jobs."""
        with self.spool.lock:
            complete = [name for name in self.receiving if self._seconds_left(name) <= 0]
            return [self._complete(name) for name in complete]

    def seconds_left(self) -> float:
        """Until the next series is complete, if no image comes."""
        with self.spool.lock:
            return min(map(self._seconds_left, self.receiving), default=self.quiet_time)

    def _is_copy(self, instance: Instance) -> bool:
        with self.spool.lock:
            known = self.spool.has_image(instance.series, instance.name)
            if known and instance.series in self.receiving:
                self._note(instance)
            return known

    def _note(self, instance: Instance) -> None:
        before = self.receiving.get(instance.series, ReceivingSeries(0.0))
        expected = instance.expected or before.expected
        self.receiving[instance.series] = ReceivingSeries(self.clock(), expected)

    def _seconds_left(self, name: str) -> float:
        series = self.receiving[name]
        if series.expected is not None and self._count(name) >= series.expected:
            return 0.0
        return series.last_arrival + self.quiet_time - self.clock()

    def _count(self, name: str) -> int:
        return sum(1 for _ in (self.folder / name / "images").iterdir())

    def _complete(self, name: str) -> Job:
        series, count = self.receiving[name], self._count(name)
        warnings = []
        if series.expected is not None and count < series.expected:
            warnings.append(f"incomplete: {count} of {series.expected} images came")
        if series.broken_off:
            warnings.append("broken off: the sender's connection ended without a release")
        job = self.spool.complete(name, *warnings)
        del self.receiving[name]
        return job


def uid_hash(*uids: str) -> str:
    """Half a SHA-256 of UIDs, in hexadecimal.

    File names are made of it: a UID that a stranger sends may be a path, and names a patient's
    examination.
    """
    return hashlib.sha256("\n".join(str(uid) for uid in uids).encode()).hexdigest()[:32]
