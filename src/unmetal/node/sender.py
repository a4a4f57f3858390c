"""Brings what waits for one destination there: oldest first, again and again until it has it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from unmetal.node.destination import Carrier, DeclinedError, UnreachableError
from unmetal.node.health import Metrics
from unmetal.node.log import Log
from unmetal.node.queue.job import Job
from unmetal.node.queue.spool import Spool

LONGEST_S = 900.0
"""Longest pause between two attempts."""

IDLE_S = 1.0
"""Between two looks at the spool."""


@dataclass
class Pause:
    """Until when to leave something alone."""

    first: float
    """Seconds, after the first failure."""

    failures: int = 0
    until: float = 0.0

    def failed(self, now: float) -> float:
        """Wait twice as long as last time; returns the seconds."""
        seconds = min(self.first * 2**self.failures, LONGEST_S)
        self.failures, self.until = self.failures + 1, now + seconds
        return seconds


class Sender:
    """One destination. What is sent is what the spool says is not; see `Job.unsent`."""

    def __init__(
        self,
        spool: Spool,
        destination: str,
        carrier: Carrier,
        log: Log,
        metrics: Metrics,
        *,
        retry: float,
        give_up: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """retry: seconds; give_up: hours."""
        self.spool, self.destination, self.carrier = spool, destination, carrier
        self.log, self.metrics, self.clock = log, metrics, clock
        self.retry, self.give_up = retry, timedelta(hours=give_up)
        self.away = Pause(retry)
        """Of the destination, when it cannot be reached."""
        self.declined: dict[str, Pause] = {}
        """Of single jobs, of which it does not take all."""
        self.doubted = {job.name for job in spool.jobs("sending")}
        """Jobs of which an image may have arrived unheard: those that an earlier process may have
        sent, and those that failed."""

    def step(self) -> float:
        """Send one series; seconds until the next look."""
        now = self.clock()
        if now < self.away.until:
            return min(self.away.until - now, IDLE_S)
        for job in self.spool.jobs("sending"):
            pause = self.declined.get(job.name)
            if (pause is None or now >= pause.until) and job.unsent(self.destination):
                self._send(job)
                return 0.0
        return IDLE_S

    def _send(self, job: Job) -> None:
        images, sent = job.unsent(self.destination), 0
        doubt = job.name in self.doubted
        self.doubted.add(job.name)
        try:
            for image in self.carrier.carry(images, doubt=doubt):
                job.confirm(self.destination, image)
                self.metrics.add("unmetal_images_sent_total", destination=self.destination)
                sent += 1
            self._arrived(job, sent)
        except UnreachableError as why:
            self._failed(job, self.away, sent, str(why))
        except DeclinedError as why:
            self._failed(job, self._pause(job), sent, str(why))
        except Exception as error:  # of this series alone; the next one may be fine
            self._failed(job, self._pause(job), sent, type(error).__name__)

    def _pause(self, job: Job) -> Pause:
        return self.declined.setdefault(job.name, Pause(self.retry))

    def _arrived(self, job: Job, sent: int) -> None:
        self.away = Pause(self.retry)
        self._forget(job)
        self.log("sent", series=job.series, to=self.destination, images=sent)
        if self.spool.settle(job):
            self.metrics.add("unmetal_series_total", outcome="sent")
            self.log("done", series=job.series)

    def _failed(self, job: Job, pause: Pause, sent: int, why: str) -> None:
        self.metrics.add("unmetal_send_failures_total", destination=self.destination)
        seconds = pause.failed(self.clock())
        facts = {"series": job.series, "to": self.destination, "images": sent, "why": why}
        if datetime.now(UTC) - job.since < self.give_up:
            self.log("not sent", **facts, again_in=seconds)
            return
        self._forget(job)
        self.spool.fail(job, self.destination)
        self.metrics.add("unmetal_series_total", outcome="dead")
        self.log("dead letter", **facts, folder=f"dead/{job.name}")

    def _forget(self, job: Job) -> None:
        self.declined.pop(job.name, None)
        self.doubted.discard(job.name)
