"""What is taken into the spool, however it came: sound CT images, while there is room."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace

from unmetal.dicom.arrivals import Arrivals
from unmetal.dicom.config import Keeping
from unmetal.dicom.instance import OUT_OF_RESOURCES, Instance, RefusedError, identify

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
