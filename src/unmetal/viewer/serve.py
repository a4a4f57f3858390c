"""From start to stop: a port, a folder for temporary data, a process that reads files.

The libraries of the server are imported while that process imports its own.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from unmetal.errors import InputError, install_extra, short_error
from unmetal.files.formats import detect_format
from unmetal.viewer.task_process import TaskProcess
from unmetal.viewer.temporary import temporary_folder

HOST = "127.0.0.1"

READER = "unmetal.viewer.open_series"
"""What reads files."""


def serve(paths: tuple[Path, ...], port: int = 0, *, browser: bool = True) -> None:
    """Open the paths, print the address, and serve until SIGINT or SIGTERM.

    Raises `InputError` for paths that are not there, or of which nothing can be opened, for a port
    that cannot be had, and without the extra `viewer`.
    """
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            raise InputError(install_extra(package, "viewer"))
    for path in paths:
        detect_format(path)
    with listening(port) as listener, temporary_folder() as folder:
        reading = TaskProcess(READER)
        reading.start()
        try:
            from unmetal.viewer.server import run_server  # noqa: PLC0415  (0.5 s, as the above)

            asyncio.run(run_server(paths, listener, folder, reading, browser=browser))
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
