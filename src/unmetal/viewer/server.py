"""The server, from the first request to the last, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from unmetal.errors import InputError
from unmetal.viewer.app import make_app, make_routes
from unmetal.viewer.jobs import JobQueue
from unmetal.viewer.opening import Opener
from unmetal.viewer.security import Guard, new_token
from unmetal.viewer.session import Session
from unmetal.viewer.task_process import TaskProcess
from unmetal.viewer.uploads import Uploads

STOP_S = 2
"""Time that answers under way get at the end."""

SWEEP_S = 600.0
"""Between two looks for data that nobody uses."""

ENDING = [one for one in signal.Signals if one.name in {"SIGINT", "SIGTERM", "SIGHUP"}]
"""Signals that end it: Ctrl-C, a request of the system, a terminal that is closed."""


async def run_server(
    paths: tuple[Path, ...],
    listener: socket.socket,
    folder: Path,
    reading: TaskProcess,
    *,
    browser: bool,
) -> None:
    """Open the paths, print the address, and answer until SIGINT or SIGTERM.

    listener: a socket that listens. folder: of temporary data. reading: what reads files.
    Raises `InputError` where nothing of the paths can be opened.
    """
    session = Session(folder)
    opener, jobs = Opener(session, reading), JobQueue(session)
    uploads = Uploads(folder)
    routes = make_routes(session, opener, jobs, uploads)
    port, token = listener.getsockname()[1], new_token()
    guard = Guard(make_app(routes), token, port)
    server = Server(guard, session)
    working = [asyncio.create_task(one) for one in (jobs.work(), _close_stale(session, uploads))]
    serving = asyncio.create_task(server.serve([listener]))
    opening = asyncio.create_task(_open(opener, paths, guard, f"http://127.0.0.1:{port}", browser))
    try:
        await asyncio.wait({serving, opening}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done() and opening.exception() is not None:
            server.stop()
        await serving
    finally:
        session.end()
        for process in (reading, jobs.process):
            process.close()
        routes.exports.stop()
        for task in (*working, opening):
            task.cancel()
        results = await asyncio.gather(*working, opening, return_exceptions=True)
    if isinstance(results[-1], InputError):
        raise results[-1]


async def _open(
    opener: Opener, paths: tuple[Path, ...], guard: Guard, host: str, browser: bool
) -> None:
    """Say the address once there is something to see; raises `InputError` if there never is."""
    opening = asyncio.create_task(opener.open_all(paths))
    announced = asyncio.create_task(_until_announced(opener.session))
    await asyncio.wait({opening, announced}, return_when=asyncio.FIRST_COMPLETED)
    announced.cancel()
    if opening.done():
        await opening
    print(f"{host}/{guard.token}/", flush=True)
    if browser:
        await asyncio.to_thread(_browse, f"{host}/{guard.ticket}/")
    await opening


async def _until_announced(session: Session) -> None:
    while not session.series:
        await session.changed.wait()


def _browse(address: str) -> None:
    with suppress(webbrowser.Error):
        webbrowser.open(address)


async def _close_stale(session: Session, uploads: Uploads) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        session.close_stale()
        uploads.close_stale()


class Server(uvicorn.Server):
    """uvicorn, which ends our streams first: it waits for answers that are under way."""

    def __init__(self, app: Any, session: Session) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="critical",
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=STOP_S,
            )
        )
        self.session = session

    def stop(self) -> None:
        """End soon; a second time, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.session.end()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They end it, and that is all: uvicorn would raise them again, and leave temporary data.

        What was ignored from the start, by nohup, stays so.
        """
        loop = asyncio.get_running_loop()
        before: dict[signal.Signals, Any] = {}

        def stop(*_: Any) -> None:
            loop.call_soon_threadsafe(self.stop)

        handler: Callable[..., None] = stop
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)
