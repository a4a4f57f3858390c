"""What is open in the viewer at this moment, and word of every change. One thread, that of the
event loop, changes it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from unmetal.errors import InputError
from unmetal.viewer.records import (
    Announced,
    Broken,
    Filling,
    Job,
    LeftOut,
    Listed,
    Message,
    OpenSeries,
    Result,
)
from unmetal.viewer.temporary import STALE_S, remove

MOST_LEFT_OUT = 100
"""Lines about what was not opened that are kept."""

MOST_JOBS = 200
"""Jobs that are listed; of those that are over the oldest go first."""


class NotOpenError(Exception):
    """There is no such series, job or result, or no longer."""


class Pulse:
    """Wakes all who wait for the next beat."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def beat(self) -> None:
        """Wake them."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seen: int | None = None) -> None:
        """Wait for the next beat; not at all where there were more than `seen` before."""
        if seen is None or self.count == seen:
            await self._event.wait()


class Session:
    """The series, jobs and results by their id, in the order in which they came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Of temporary data."""
        self.series: dict[str, OpenSeries] = {}
        self.filling: dict[str, Filling] = {}
        self.jobs: dict[str, Job] = {}
        self.results: dict[str, Result] = {}
        self.masks: dict[str, tuple[str, Path]] = {}
        """id of a mask that was drawn -> its series, its file."""
        self.left_out: list[LeftOut] = []
        self.opening = 0
        """Sources that are being opened."""
        self.closing = False
        """Whether the server ends."""
        self.changed = Pulse()
        self.filled = Pulse()

    def end(self) -> None:
        """Let go of everybody who waits."""
        self.closing = True
        self.changed.beat()
        self.filled.beat()

    def take(self, message: Message) -> None:
        """Take in what `open_series.open_path` reports."""
        if isinstance(message, Announced):
            series = replace(message.series, used=time.monotonic())
            self.series[series.id] = series
            self.filling[series.id] = Filling(series.grid.shape[0])
        elif isinstance(message, LeftOut):
            self.left_out = [*self.left_out, message][-MOST_LEFT_OUT:]
        elif isinstance(message, Listed):
            return
        elif (filling := self.filling.get(message.series)) is None:
            return  # closed meanwhile
        elif isinstance(message, Broken):
            filling.failed = True
            broken = self.series[message.series]
            self.series[broken.id] = replace(broken, error=message.reason)
            self.filled.beat()
        else:
            filling.slices.add(message.index)
            self.filled.beat()
            if not filling.ready:
                return
        self.changed.beat()

    def fail_unread(self, reason: str) -> None:
        """Say of every series that is still being read that it will not be."""
        for id, filling in self.filling.items():
            if not filling.ready and not filling.failed:
                self.take(Broken(id, reason))

    def get_series(self, id: str) -> OpenSeries:
        """The series; raises `NotOpenError`."""
        if id not in self.series:
            raise NotOpenError("this series is not open any more: open it again")
        self.series[id] = replace(self.series[id], used=time.monotonic())
        return self.series[id]

    def get_job(self, id: str) -> Job:
        """The job; raises `NotOpenError`."""
        if id not in self.jobs:
            raise NotOpenError("there is no such job any more")
        return self.jobs[id]

    def get_result(self, id: str) -> Result:
        """The result; raises `NotOpenError`."""
        if id not in self.results:
            raise NotOpenError("this result is closed: reduce the series again")
        return self.results[id]

    def get_both(self, id: str) -> tuple[OpenSeries, Result]:
        """The series of a result, and the result; raises `NotOpenError`."""
        result = self.get_result(id)
        return self.get_series(result.series), result

    async def slice_read(self, series: OpenSeries, index: int) -> None:
        """Wait until a slice is there; raises `NotOpenError` or `InputError` if it will not be."""
        while True:
            filling, now = self.filling.get(series.id), self.series.get(series.id)
            if filling is None or now is None or now.values != series.values or self.closing:
                raise NotOpenError("this series is not open any more: open it again")
            if index in filling.slices:
                return
            if filling.failed:
                raise InputError(now.error)
            await self.filled.wait()

    async def all_read(self, id: str) -> OpenSeries:
        """The series, once all of its slices are there; raises as `slice_read`."""
        series = self.get_series(id)
        for index in range(series.grid.shape[0]):
            await self.slice_read(series, index)
        return self.get_series(id)

    def set_job(self, job: Job) -> None:
        """Add a job, or change it."""
        self.jobs[job.id] = job
        over = [id for id, one in self.jobs.items() if one.over]
        for id in over[: max(len(self.jobs) - MOST_JOBS, 0)]:
            del self.jobs[id]
        self.changed.beat()

    def add_result(self, result: Result) -> None:
        """Add a result, unless its series was closed meanwhile."""
        if result.series in self.series:
            self.results[result.id] = result
            self.changed.beat()
        else:
            remove(result.folder)

    def close_result(self, id: str) -> None:
        """Close a result and remove its files; raises `NotOpenError`."""
        remove(self.get_result(id).folder)
        del self.results[id]
        self.changed.beat()

    def close_series(self, id: str) -> None:
        """Close a series with its results and masks; what was uploaded goes with the last series
        that came of it. Raises `NotOpenError`."""
        series = self.get_series(id)
        for result in [one.id for one in self.results.values() if one.series == id]:
            self.close_result(result)
        for mask in [name for name, (of, _) in self.masks.items() if of == id]:
            remove(self.masks.pop(mask)[1])
        del self.series[id], self.filling[id]
        remove(series.values)
        self.drop_unused(series.source.path)
        self.filled.beat()
        self.changed.beat()

    def drop_unused(self, path: Path) -> None:
        """Remove what was uploaded to `path` or around it, unless an open series came of it."""
        if self.folder in path.parents:
            upload = self.folder / path.relative_to(self.folder).parts[0]
            used = [one.source.path for one in self.series.values()]
            if not any(upload in {one, *one.parents} for one in used):
                remove(upload)

    def close_stale(self, *, age: float = STALE_S) -> None:
        """Close series that nobody has asked for so long, and of which no job waits or runs."""
        busy = {job.series for job in self.jobs.values() if not job.over}
        for series in list(self.series.values()):
            if series.id not in busy and time.monotonic() - series.used > age:
                self.close_series(series.id)

    def public(self) -> dict[str, Any]:
        """What of it the page shows."""
        now = time.monotonic()
        return {
            "series": [
                one.public(ready=self.filling[one.id].ready) for one in self.series.values()
            ],
            "jobs": [one.public(now) for one in self.jobs.values()],
            "results": [one.public() for one in self.results.values()],
            "left_out": [{"what": one.what, "why": one.why} for one in self.left_out],
            "opening": self.opening,
        }
