"""From start to stop: a port, a secret address, processes, temporary data; all gone at the end."""

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

from unmetal.errors import InputError, short_error
from unmetal.files.formats import detect_format
from unmetal.viewer.app import make_app, make_routes
from unmetal.viewer.jobs import JobQueue
from unmetal.viewer.opening import Opener
from unmetal.viewer.security import Guard, new_token
from unmetal.viewer.session import Session
from unmetal.viewer.task_process import TaskProcess
from unmetal.viewer.temporary import temporary_folder
from unmetal.viewer.uploads import LIMIT, Uploads

HOST = "127.0.0.1"

STOP_S = 2
"""Time that answers under way get at the end."""

SWEEP_S = 600.0
"""Between two looks for data that nobody uses."""


def serve(
    paths: tuple[Path, ...], port: int = 0, *, browser: bool = True, upload_limit: int = LIMIT
) -> None:
    """Open the paths, print the address, and serve until SIGINT or SIGTERM.

    Raises `InputError` for paths that are not there, of which nothing can be opened, and a port
    that cannot be had.
    """
    for path in paths:
        detect_format(path)
    reading = TaskProcess()
    with listening(port) as listener, temporary_folder() as folder:
        reading.start()  # its imports take as long as ours
        try:
            asyncio.run(_serve(paths, listener, folder, reading, browser, upload_limit))
        finally:
            reading.close()


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """A socket that listens on loopback; raises `InputError` where the port cannot be had."""
    if not 0 <= port < 65536:
        raise InputError(f"--port {port}: give a port up to 65535")
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise InputError(f"--port {port}: {short_error(error)}: give another port") from error
    with listener:
        yield listener


async def _serve(
    paths: tuple[Path, ...],
    listener: socket.socket,
    folder: Path,
    reading: TaskProcess,
    browser: bool,
    upload_limit: int,
) -> None:
    session = Session(folder)
    opener, jobs = Opener(session, reading), JobQueue(session)
    routes = make_routes(session, opener, jobs, Uploads(folder, upload_limit))
    port, token = listener.getsockname()[1], new_token()
    server = Server(Guard(make_app(routes), token, port), session)
    working = [asyncio.create_task(one) for one in (jobs.work(), _close_stale(session))]
    serving = asyncio.create_task(server.serve([listener]))
    opening = asyncio.create_task(_open(opener, paths, f"http://{HOST}:{port}/{token}/", browser))
    try:
        await asyncio.wait({serving, opening}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done() and opening.exception() is not None:
            server.stop()
        await serving
    finally:
        session.end()
        for process in (reading, jobs.process):
            process.close()
        routes.stop()
        for task in (*working, opening):
            task.cancel()
        results = await asyncio.gather(*working, opening, return_exceptions=True)
    if isinstance(results[-1], InputError):
        raise results[-1]


async def _open(opener: Opener, paths: tuple[Path, ...], address: str, browser: bool) -> None:
    """Say the address once there is something to see; raises `InputError` if there never is."""
    opening = asyncio.create_task(opener.open_all(paths))
    announced = asyncio.create_task(_until_announced(opener.session))
    await asyncio.wait({opening, announced}, return_when=asyncio.FIRST_COMPLETED)
    announced.cancel()
    if opening.done():
        await opening
    print(address, flush=True)
    if browser:
        await asyncio.to_thread(_browse, address)
    await opening


async def _until_announced(session: Session) -> None:
    while not session.series:
        await session.changed.wait()


def _browse(address: str) -> None:
    with suppress(webbrowser.Error):
        webbrowser.open(address)


async def _close_stale(session: Session) -> None:
    while True:
        await asyncio.sleep(SWEEP_S)
        session.close_stale()


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
        """SIGINT and SIGTERM end it, and are then dealt with: uvicorn would raise them again, which
        would leave our temporary data."""
        loop = asyncio.get_running_loop()
        before: dict[signal.Signals, Any] = {}

        def stop(*_: Any) -> None:
            loop.call_soon_threadsafe(self.stop)

        handler: Callable[..., None] = stop
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, handler)
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)
