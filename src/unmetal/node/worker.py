"""Reduces the series that wait, one at a time, and queues the results for sending."""

from __future__ import annotations

from dataclasses import replace

from unmetal.node.health import Metrics
from unmetal.node.log import Log
from unmetal.node.queue.job import Job
from unmetal.node.queue.spool import Spool
from unmetal.node.reducer import Outcome, ProcessDiedError, ReducerProcess
from unmetal.node.thread import IDLE_S

MAX_ATTEMPTS = 3
"""Reductions of one series that may end with the death of their process."""

DISK_FULL_PAUSE_S = 30.0


class Worker:
    """Takes the oldest series that waits to its next stage."""

    def __init__(
        self,
        spool: Spool,
        reducer: ReducerProcess,
        destinations: tuple[str, ...],
        log: Log,
        metrics: Metrics,
    ) -> None:
        self.spool, self.reducer, self.destinations = spool, reducer, destinations
        self.log, self.metrics = log, metrics
        self.stopping = False
        """Whether the node is being stopped: a process that dies now counts against no series."""

    def step(self) -> float:
        """Deal with one series; returns the seconds until the next look."""
        for left in self.spool.jobs("reducing"):  # a step that raised: this is the only worker
            self.spool.requeue(left, count_attempt=True)
        job = next(iter(self.spool.jobs("waiting")), None)
        if job is None or self.stopping:
            return IDLE_S
        if (attempts := job.state.attempts) >= MAX_ATTEMPTS:
            self._dead_letter(job, f"died {attempts} times while it was reduced")
            return 0.0
        self.reducer.start()  # before the attempt is counted: its failure is not the series' fault
        job = self.spool.start_reducing(job)
        try:
            outcome = self.reducer(job.images, job.derived / "series")
        except ProcessDiedError as died:
            self.spool.requeue(job, count_attempt=not self.stopping)
            self.log("reduction died", series=job.series, attempt=attempts + 1, why=str(died))
            return IDLE_S
        self.metrics.reduce_seconds.inc(outcome.seconds)
        return self._handle(job, outcome)

    def _handle(self, job: Job, outcome: Outcome) -> float:
        if outcome.disk_full:
            self.spool.requeue(job, count_attempt=False)
            self.log("disk full", series=job.series)
            return DISK_FULL_PAUSE_S
        if outcome.error:
            self._dead_letter(job, outcome.error)
            return 0.0
        seconds, state = round(outcome.seconds, 3), job.state
        warnings = tuple(dict.fromkeys((*state.warnings, *outcome.warnings)))
        replace(state, warnings=warnings, seconds=seconds).save(job.folder)
        names = [warning.partition(":")[0] for warning in warnings]
        for name in names:
            self.metrics.warnings.labels(name).inc()
        facts = {"series": job.series, "slices": outcome.slices, "warnings": names}
        if outcome.skipped:
            self.spool.finish(job, outcome.skipped)
            self.metrics.series.labels("skipped").inc()
            self.log("skipped", **facts, why=outcome.skipped)
            return 0.0
        self.spool.start_sending(job, self.destinations)
        self.metrics.series.labels("reduced").inc()
        self.log("reduced", **facts, changed=outcome.changed, seconds=seconds)
        return 0.0

    def _dead_letter(self, job: Job, reason: str) -> None:
        self.spool.dead_letter(job, reason)
        self.metrics.series.labels("dead").inc()
        self.log("dead letter", series=job.series, folder=f"dead/{job.name}")
