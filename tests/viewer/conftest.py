"""The application in this process, and servers as processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any

import httpx
import pytest
from viewing import View, write_phantom

pytest.importorskip("starlette", reason="needs the extra `viewer`")

from unmetal.viewer.app import make_app, make_routes
from unmetal.viewer.jobs import JobQueue
from unmetal.viewer.open_series import open_path
from unmetal.viewer.opening import Opener
from unmetal.viewer.security import Guard
from unmetal.viewer.session import Session
from unmetal.viewer.task_process import TaskProcess
from unmetal.viewer.uploads import Uploads

TOKEN, PORT = "t" * 32, 8321
ADDRESS = f"http://127.0.0.1:{PORT}/{TOKEN}/"


class Client:
    """Requests to an application in this process, one after the other."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.guard, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())

    get = partialmethod(request, "GET")
    post = partialmethod(request, "POST")
    put = partialmethod(request, "PUT")
    delete = partialmethod(request, "DELETE")


@dataclass
class App:
    """The application without a network; what is opened is read in this process."""

    session: Session
    client: Client
    opener: Opener

    def open(self, path: Path) -> list[str]:
        """Read a path; ids of its series."""
        before = set(self.session.series)
        open_path(self.session.take, path, self.session.folder)
        return [id for id in self.session.series if id not in before]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    session = Session(folder)
    reading = TaskProcess()
    opener = Opener(session, reading)
    routes = make_routes(session, opener, JobQueue(session), Uploads(folder, limit=2**20))
    guard = Guard(make_app(routes), TOKEN, PORT)
    yield App(session, Client(guard), opener)
    reading.close()


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of DICOM, four slices with two rods of metal."""
    return write_phantom(tmp_path_factory.mktemp("phantom") / "series")


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Callable[..., View]]:
    """`view(*arguments)` starts a server, whose temporary data lie in `tmp_path`."""
    started: list[View] = []

    def start(*arguments: object) -> View:
        started.append(View(tmp_path / "temporary", *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def viewer(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """A server that has the phantom open."""
    one = View(tmp_path_factory.mktemp("viewer") / "temporary", phantom).opened()
    yield one
    assert not any(secret in one.errors() for secret in ("Nobody", "secret-7", "Thorax"))
    one.close()
