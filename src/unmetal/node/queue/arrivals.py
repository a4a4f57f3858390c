"""Images that come in: each on disk before anybody is told so, and the wait for the rest."""

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
class Open:
    """A series that is being received."""

    last: float
    """When its last image came, in seconds of the clock."""

    expected: int | None = None
    """Images it has, where a sender said so."""

    broken: bool = False
    """Whether a sender's connection broke since."""


class Arrivals:
    """The way into the spool."""

    def __init__(
        self, spool: Spool, quiet_time: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Series that were open when the last node died are open again, and wait anew."""
        self.spool, self.quiet_time, self.clock = spool, quiet_time, clock
        self.folder = spool.folder / "receiving"
        self.open = {path.name: Open(clock()) for path in self.folder.iterdir()}

    def keep(self, instance: Instance) -> bool:
        """Put an image on the disk; False where it was there or is dealt with, and only then may
        its content differ. An OSError leaves nothing behind."""
        if self._is_copy(instance):
            return False
        part = self.spool.folder / "arriving" / uuid.uuid4().hex
        try:
            durable.write_aside(part, instance.content)
            with self.spool.lock:
                if self._is_copy(instance):
                    return False
                images = self.folder / instance.series / "images"
                durable.make(images)
                durable.publish(part, images / instance.name)
                self._note(instance)
        finally:
            part.unlink(missing_ok=True)
        return True

    def is_open(self, series: str) -> bool:
        """Whether images of it are here and more may come."""
        return series in self.open

    def broke_off(self, series: set[str]) -> None:
        """A connection that brought images of these ended without a release."""
        with self.spool.lock:
            for name in series & self.open.keys():
                self.open[name] = replace(self.open[name], broken=True)

    def complete(self) -> list[Job]:
        """Move every series that is complete on, and say which."""
        with self.spool.lock:
            return [self._close(name) for name in list(self.open) if self._wait(name) <= 0]

    def wait(self) -> float:
        """Seconds until the next series may be complete."""
        with self.spool.lock:
            return min((self._wait(name) for name in self.open), default=self.quiet_time)

    def _is_copy(self, instance: Instance) -> bool:
        with self.spool.lock:
            known = self.spool.has(instance.series, instance.name)
            if known and instance.series in self.open:
                self._note(instance)
            return known

    def _note(self, instance: Instance) -> None:
        before = self.open.get(instance.series, Open(0.0))
        self.open[instance.series] = Open(self.clock(), instance.expected or before.expected)

    def _wait(self, name: str) -> float:
        series = self.open[name]
        if series.expected is not None and self._count(name) >= series.expected:
            return 0.0
        return series.last + self.quiet_time - self.clock()

    def _count(self, name: str) -> int:
        return sum(1 for _ in (self.folder / name / "images").iterdir())

    def _close(self, name: str) -> Job:
        series, count = self.open[name], self._count(name)
        warnings = []
        if series.expected is not None and count < series.expected:
            warnings.append(f"incomplete: {count} of {series.expected} images came")
        if series.broken:
            warnings.append("broken off: the sender's connection ended without a release")
        job = self.spool.complete(name, *warnings)
        del self.open[name]
        return job


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


def key(*uids: str) -> str:
    """A name for UIDs that says nothing: half a SHA-256, in hexadecimal.

    It makes file names of what strangers send, so it may hold nothing of theirs.
    """
    return hashlib.sha256("\n".join(str(uid) for uid in uids).encode()).hexdigest()[:32]
