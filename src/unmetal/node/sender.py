"""Sends what is queued for one destination: the oldest series first, with exponential backoff."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from unmetal.node.health import Metrics
from unmetal.node.log import Log
from unmetal.node.queue.job import Job
from unmetal.node.queue.spool import Spool
from unmetal.node.thread import IDLE_S
from unmetal.sending.destination import DeclinedError, Transport, UnreachableError

MAX_BACKOFF_S = 900.0


@dataclass
class Backoff:
    """How long to wait after failures in a row."""

    first: float
    """Seconds after the first one; doubled with each further one."""

    failures: int = 0
    until: float = 0.0

    def add_failure(self, now: float) -> float:
        """Count a failure; returns the seconds to wait."""
        seconds = min(self.first * 2**self.failures, MAX_BACKOFF_S)
        self.failures, self.until = self.failures + 1, now + seconds
        return seconds


class Sender:
    """Sends to one destination what it has not confirmed; see `Job.unsent`."""

    def __init__(
        self,
        spool: Spool,
        destination: str,
        transport: Transport,
        log: Log,
        metrics: Metrics,
        *,
        retry: float,
        give_up: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """retry: seconds after the first failure. give_up: age of a series in hours."""
        self.spool, self.destination, self.transport = spool, destination, transport
        self.log, self.metrics, self.clock = log, metrics, clock
        self.retry, self.give_up = retry, timedelta(hours=give_up)
        self.backoff = Backoff(retry)
        """Of the destination, while it cannot be reached."""
        self.job_backoffs: dict[str, Backoff] = {}
        """Of single jobs, of which it declined images."""
        self.unconfirmed = {job.name for job in spool.jobs("sending")}
        """Jobs of which an image may have arrived whose answer was lost: those that an earlier
        process may have sent, and those that were tried."""

    def step(self) -> float:
        """Send one series; returns the seconds until the next look."""
        now = self.clock()
        if now < self.backoff.until:
            return min(self.backoff.until - now, IDLE_S)
        for job in self.spool.jobs("sending"):
            backoff = self.job_backoffs.get(job.name)
            if (backoff is None or now >= backoff.until) and job.unsent(self.destination):
                self._send(job)
                return 0.0
        return IDLE_S

    def _send(self, job: Job) -> None:
        images, sent = job.unsent(self.destination), 0
        check_existing = job.name in self.unconfirmed
        self.unconfirmed.add(job.name)
        try:
            for image in self.transport.send(images, check_existing=check_existing):
                job.confirm(self.destination, image)
                self.metrics.images_sent.labels(self.destination).inc()
                sent += 1
            self._on_sent(job, sent)
        except UnreachableError as error:
            self._on_failure(job, self.backoff, sent, str(error))
        except Exception as error:  # concerns this series alone: the next one may be fine
            why = str(error) if isinstance(error, DeclinedError) else type(error).__name__
            backoff = self.job_backoffs.setdefault(job.name, Backoff(self.retry))
            self._on_failure(job, backoff, sent, why)

    def _on_sent(self, job: Job, sent: int) -> None:
        self.backoff = Backoff(self.retry)
        self._forget(job)
        self.log("sent", series=job.series, to=self.destination, images=sent)
        if self.spool.finish_if_delivered(job):
            self.metrics.series.labels("sent").inc()
            self.log("done", series=job.series)

    def _on_failure(self, job: Job, backoff: Backoff, sent: int, why: str) -> None:
        self.metrics.send_failures.labels(self.destination).inc()
        seconds = backoff.add_failure(self.clock())
        facts = {"series": job.series, "to": self.destination, "images": sent, "why": why}
        if datetime.now(UTC) - job.completed_at < self.give_up:
            self.log("not sent", **facts, again_in=seconds)
            return
        self._forget(job)
        self.spool.give_up(job, self.destination)
        self.metrics.series.labels("dead").inc()
        self.log("dead letter", **facts, folder=f"dead/{job.name}")

    def _forget(self, job: Job) -> None:
        self.job_backoffs.pop(job.name, None)
        self.unconfirmed.discard(job.name)
