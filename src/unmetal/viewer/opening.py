"""Opening files: a process reads them, the session hears of it slice by slice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from unmetal.errors import InputError
from unmetal.viewer.records import Announced, LeftOut, Listed, Message
from unmetal.viewer.session import Session
from unmetal.viewer.task_process import (
    ProcessEndedError,
    TaskFailedError,
    TaskProcess,
    where_it_failed,
)

OPEN = "unmetal.viewer.open_series:open_path"


class Opener:
    """Opens one path after the other."""

    def __init__(self, session: Session, process: TaskProcess) -> None:
        self.session, self.process = session, process
        self._turn = asyncio.Lock()
        self._reading: set[asyncio.Task[None]] = set()

    async def open(self, path: Path) -> tuple[list[str], list[LeftOut]]:
        """Announce every series at a path; returns their ids, and what was left out.

        Their slices are read afterwards. Raises `InputError` where there is no series.
        """
        listed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ids: list[str] = []
        left_out: list[LeftOut] = []

        def take(message: Message) -> None:
            self.session.take(message)
            if isinstance(message, Announced):
                ids.append(message.series.id)
            elif isinstance(message, LeftOut):
                left_out.append(message)
            elif isinstance(message, Listed) and not listed.done():
                listed.set_result(None)

        self.session.opening += 1
        self.session.changed.beat()
        reading = asyncio.create_task(self._read(path, take, listed))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)
        try:
            await listed
        finally:
            self.session.opening -= 1
            self.session.changed.beat()
        return ids, left_out

    async def _read(self, path: Path, take: Any, listed: asyncio.Future[None]) -> None:
        loop, error = asyncio.get_running_loop(), ""
        try:
            async with self._turn:
                await asyncio.to_thread(
                    self.process.run,
                    lambda message: loop.call_soon_threadsafe(take, message),
                    OPEN,
                    path,
                    self.session.folder,
                )
        except (InputError, TaskFailedError) as failure:
            error = self._told(failure, path)
        except ProcessEndedError:
            error = f"{path.name}: the process that reads it ended: is it damaged?"
        except Exception as failure:  # a bug ends this, and nobody waits for it in vain
            error = where_it_failed(failure)
        if error and not listed.done():
            listed.set_exception(InputError(error))
        if error:
            self.session.fail_unread(error)
        self.session.drop_unused(path)

    def _told(self, failure: Exception, path: Path) -> str:
        """The reason; without the folder of an upload, which says nothing to who sent it."""
        reason = str(failure)
        if path.is_relative_to(self.session.folder):
            reason = reason.replace(f"{path}/", "").replace(f"{path.parent}/", "")
        return reason

    async def open_all(self, paths: tuple[Path, ...]) -> None:
        """Open every path; what cannot be opened is listed as left out.

        Raises `InputError` where nothing could be.
        """
        first = None
        for path in paths:
            try:
                await self.open(path)
            except InputError as error:
                first = first or error
                self.session.take(LeftOut(path.name, str(error).removeprefix(f"{path.name}: ")))
        if first is not None and not self.session.series:
            raise first
