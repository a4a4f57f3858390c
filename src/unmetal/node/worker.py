"""Takes the oldest series that waits, has it reduced, and puts the result where it is sent from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from unmetal.node.health import Metrics
from unmetal.node.log import Log
from unmetal.node.queue.job import Job
from unmetal.node.queue.spool import Spool
from unmetal.node.reducer import DiedError, Outcome

ATTEMPTS = 3
"""Reductions of one series that may die with their process."""

IDLE_S = 1.0
"""Between two looks at the spool: a person may move a dead letter back."""

FULL_S = 30.0
"""Until the next attempt when the disk was full."""


class Reduces(Protocol):
    """What reduces a series; see `Reducer`."""

    def start(self) -> None:
        """Get ready, where it is not; raises `InputError` or `DiedError` if it cannot."""

    def __call__(self, images: Path, target: Path) -> Outcome:
        """Reduce the series in one folder into another; raises `DiedError`."""

    def stop(self) -> None:
        """End, also while it works for another thread."""


class Worker:
    """One series at a time."""

    def __init__(
        self,
        spool: Spool,
        reduce: Reduces,
        destinations: tuple[str, ...],
        log: Log,
        metrics: Metrics,
    ) -> None:
        self.spool, self.reduce, self.destinations = spool, reduce, destinations
        self.log, self.metrics = log, metrics
        self.stopping = False
        """Whether the node ends: then a reduction that dies was not the series' fault."""

    def step(self) -> float:
        """Deal with one series; seconds until the next look."""
        for left in self.spool.jobs("reducing"):  # by a step that failed: nobody else is here
            self.spool.give_back(left, counted=True)
        job = next(iter(self.spool.jobs("waiting")), None)
        if job is None or self.stopping:
            return IDLE_S
        if (attempts := job.record.attempts) >= ATTEMPTS:
            self._bury(job, f"died {attempts} times while it was reduced")
            return 0.0
        self.reduce.start()  # what fails here is no fault of the series
        job = self.spool.begin(job)
        try:
            outcome = self.reduce(job.images, job.derived / "series")
        except DiedError as died:
            self.spool.give_back(job, counted=not self.stopping)
            self.log("reduction died", series=job.series, attempt=attempts + 1, why=str(died))
            return IDLE_S
        self.metrics.add("unmetal_reduce_seconds_total", outcome.seconds)
        return self._deal(job, outcome)

    def _deal(self, job: Job, outcome: Outcome) -> float:
        if outcome.no_room:
            self.spool.give_back(job, counted=False)
            self.log("disk full", series=job.series)
            return FULL_S
        if outcome.error:
            self._bury(job, outcome.error)
            return 0.0
        held = job.record.warned(*outcome.warnings)
        replace(held, seconds=round(outcome.seconds, 3)).save(job.folder)
        names = [warning.partition(":")[0] for warning in held.warnings]
        for name in names:
            self.metrics.add("unmetal_warnings_total", warning=name)
        facts = {"series": job.series, "slices": outcome.slices, "warnings": names}
        if outcome.skipped:
            self.spool.finish(job, outcome.skipped)
            self.metrics.add("unmetal_series_total", outcome="skipped")
            self.log("skipped", **facts, why=outcome.skipped)
            return 0.0
        self.spool.reduced(job, self.destinations)
        self.metrics.add("unmetal_series_total", outcome="reduced")
        seconds = round(outcome.seconds, 3)
        self.log("reduced", **facts, changed=outcome.changed, seconds=seconds)
        return 0.0

    def _bury(self, job: Job, reason: str) -> None:
        self.spool.bury(job, reason)
        self.metrics.add("unmetal_series_total", outcome="dead")
        self.log("dead letter", series=job.series, folder=f"dead/{job.name}")
