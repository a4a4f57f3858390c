"""Several pieces of work at a time, series or files: a process each, with one thread each."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

DIED = "its process died: out of memory? Try again with fewer --jobs"


def one_by_one(
    items: Sequence[Item], work: Callable[[Item], Outcome]
) -> Iterator[tuple[Item, Outcome]]:
    """In this process."""
    for item in items:
        yield item, work(item)


def side_by_side(
    items: Sequence[Item], work: Callable[[Item], Outcome], jobs: int, died: Outcome
) -> Iterator[tuple[Item, Outcome]]:
    """In `jobs` processes. One that dies takes its item with it and no other: those that were at
    work at the time are tried again, each alone.

    work: can be pickled, and raises nothing. died: the outcome of an item whose process died.
    """
    waiting = deque(items)
    suspects: list[Item] = []
    while waiting:
        suspects += yield from _until_one_dies(waiting, work, jobs)
    for item in suspects:
        if (yield from _until_one_dies(deque([item]), work, 1)):
            yield item, died


def _until_one_dies(
    waiting: deque[Item], work: Callable[[Item], Outcome], jobs: int
) -> Generator[tuple[Item, Outcome], None, list[Item]]:
    """Take from `waiting` until it is empty or a process dies; returns the items of then."""
    with (
        one_thread_each(),
        ProcessPoolExecutor(jobs, get_context("spawn"), initializer=init_worker) as pool,
    ):
        running: dict[Future[Outcome], Item] = {}
        lost: list[Item] = []
        while running or (waiting and not lost):
            while waiting and not lost and len(running) < jobs:
                item = waiting.popleft()
                running[pool.submit(work, item)] = item
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                item = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    lost.append(item)
                else:
                    yield item, future.result()
        return lost


@contextmanager
def one_thread_each() -> Iterator[None]:
    """New processes compute with one thread: two with two threads each fight over two cores. They
    look when they first import numpy or torch, so the environment must say it before."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def init_worker() -> None:
    """Initializer of a worker process: no log on the terminal, and an end with the parent."""
    log = logging.getLogger("unmetal")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    end_with_parent()


def end_with_parent() -> None:
    """Exit this process when the one that started it ends, even if that one is killed."""
    parent = parent_process()
    assert parent is not None
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    # Not sys.exit: that would end this thread only.
    os._exit(1)


def cores() -> int:
    """How many this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
