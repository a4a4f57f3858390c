"""An archive, and nodes in this process, whose reduction is replaced or runs in a thread."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hospital import Archive, Copies, Process, free_port
from pynetdicom.transport import AssociationSocket

from unmetal.node.config import Config, ReceiveConfig, ReduceConfig, SendConfig, StorageConfig
from unmetal.node.log import Log
from unmetal.node.node import Node


@pytest.fixture(autouse=True)
def closed_sockets(monkeypatch) -> None:
    """Close what the other side closed first: pynetdicom leaves that to the garbage collector,
    whose complaints would come in the middle of another test."""

    def shut(self: AssociationSocket) -> None:
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    monkeypatch.setattr(AssociationSocket, "_shutdown_socket", shut)


@pytest.fixture
def archive() -> Iterator[Archive]:
    made = Archive()
    yield made
    made.stop()


@pytest.fixture
def make_node(tmp_path: Path, archive: Archive) -> Iterator[Callable[..., Node]]:
    """`make_node(quiet_time=...)`: a node that has started; its log is `node.log.stream`."""
    nodes = []

    def make(*, reducer: Any = None, **options: Any) -> Node:
        node = Node(
            config(archive, **{"spool": tmp_path / "spool"} | options),
            reducer or Copies(),
            memory(),
        )
        nodes.append(node)
        node.start()
        return node

    yield make
    for node in reversed(nodes):
        node.stop()
        print(node.log.stream.getvalue())


@pytest.fixture
def make_process(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """`make_process(destination, ...)`: `unmetal node` on the same spool each time."""
    processes = []

    def make(*to: str, **options: Any) -> Process:
        processes.append(Process(tmp_path / "spool", *to, **options))
        return processes[-1]

    yield make
    for process in processes:
        process.kill()
        print(process.text())


def memory() -> Log:
    return Log(io.StringIO())


def config(archive: Archive | None, **options: Any) -> Config:
    """Small waits; `options` are fields of any section."""
    defaults = {
        "aet": "UNMETAL",
        "port": free_port(),
        "quiet_time": 0.3,
        "min_free": 0.0,
        "to": () if archive is None else (archive.address,),
        "retry": 0.1,
        "status_port": 0,
    }
    given = defaults | options
    sections = []
    for section in (ReceiveConfig, StorageConfig, ReduceConfig, SendConfig):
        names = section.__dataclass_fields__.keys() & given.keys()
        sections.append(section(**{name: given.pop(name) for name in names}))
    assert not given, f"no such options: {given}"
    return Config(*sections)
