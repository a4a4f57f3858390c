"""The queue of reductions: one at a time, in a process that can be ended in the middle."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from unmetal.errors import InputError
from unmetal.viewer.exports import exports_of
from unmetal.viewer.records import Job, Result, new_id
from unmetal.viewer.session import NotOpenError, Session
from unmetal.viewer.task_process import (
    ProcessEndedError,
    TaskFailedError,
    TaskProcess,
    where_it_failed,
)
from unmetal.viewer.temporary import remove

REDUCE = "unmetal.viewer.reduce_task:reduce_task"

MOST_WAITING = 50


class JobQueue:
    """Works off the jobs of a session in the order in which they were asked for."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.process = TaskProcess()
        self._added = asyncio.Event()

    def add(self, series: str, method: str, metal: str | None) -> Job:
        """A new job, which waits; raises `NotOpenError` and `InputError`."""
        known = self.session.get_series(series)
        if known.made_by_unmetal:
            raise InputError("unmetal made this series: reduce the original")
        if known.error:
            raise InputError(known.error)
        if metal is not None and self.session.masks.get(metal, ("",))[0] != series:
            raise NotOpenError("there is no such mask of this series: draw it again")
        if sum(not job.over for job in self.session.jobs.values()) >= MOST_WAITING:
            raise InputError(f"{MOST_WAITING} jobs wait already: cancel some first")
        job = Job(new_id(), series, method, metal)
        self.session.set_job(job)
        self._added.set()
        return job

    def cancel(self, id: str) -> Job:
        """Cancel a job; a running one by ending its process. One that is over stays as it is."""
        job = self.session.get_job(id)
        if job.over:
            return job
        self.session.set_job(replace(job, status="cancelled"))
        if job.status == "running":
            self.process.stop()
        return self.session.get_job(id)

    def cancel_series(self, series: str) -> None:
        """Cancel every job of a series."""
        for job in list(self.session.jobs.values()):
            if job.series == series:
                self.cancel(job.id)

    async def work(self) -> None:
        """Work off the queue until this is cancelled."""
        while True:
            waiting = [job for job in self.session.jobs.values() if job.status == "waiting"]
            if waiting:
                await self._carry_out(waiting[0])
            else:
                self._added.clear()
                await self._added.wait()

    async def _carry_out(self, job: Job) -> None:
        begun = time.monotonic()
        session, loop = self.session, asyncio.get_running_loop()
        series = session.get_series(job.series)
        session.set_job(replace(job, status="running", begun=begun))
        id = new_id()
        empty = Result(id, series.id, job.method, "", session.folder / f"result-{id}", ())
        mask = None if job.metal is None else session.masks[job.metal][1]

        def report(progress: Any) -> None:
            loop.call_soon_threadsafe(self._progress, job.id, progress)

        def wanted() -> bool:
            known = session.jobs.get(job.id)
            return known is not None and known.status == "running"

        made, error = None, ""
        try:
            arguments = (REDUCE, await session.all_read(series.id), job.method, mask, empty)
            made = await asyncio.to_thread(self.process.run, report, *arguments, wanted=wanted)
        except ProcessEndedError:
            error = "its process ended: out of memory? Close other programs and try again"
        except (InputError, NotOpenError, TaskFailedError) as failure:
            error = str(failure).replace(f"{series.source.path}: ", "")
        except Exception as failure:  # a bug ends this job and not the queue
            error = where_it_failed(failure)
        finally:
            remove(empty.folder.with_name(f".{empty.folder.name}"))
        self._end(job.id, begun, made, error)

    def _progress(self, id: str, progress: Any) -> None:
        job = self.session.jobs.get(id)
        if job is not None and job.status == "running":
            self.session.set_job(replace(job, done=progress.done, total=progress.total))

    def _end(self, id: str, begun: float, made: Result | None, error: str) -> None:
        """Say what became of a job; a result that came in spite of a cancel goes."""
        job = self.session.jobs.get(id)
        seconds = round(time.monotonic() - begun, 1)
        if job is None or job.status == "cancelled":
            if made is not None:
                remove(made.folder)
            if job is not None:
                self.session.set_job(replace(job, seconds=seconds))
            return
        if made is None:
            self.session.set_job(replace(job, status="failed", error=error, seconds=seconds))
            return
        series = self.session.series.get(made.series)
        if series is None:
            remove(made.folder)
            return
        self.session.add_result(replace(made, exports=exports_of(series, made)))
        self.session.set_job(replace(job, status="done", result=made.id, seconds=seconds))
