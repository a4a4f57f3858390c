"""Worker processes, one thread each, of which one may die without the others."""

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
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

DIED = "its process died: out of memory? Try again with fewer --jobs"


def one_by_one(
    items: Sequence[Item], work: Callable[[Item], Outcome]
) -> Iterator[tuple[Item, Outcome]]:
    """Do the work in this process, item after item."""
    for item in items:
        yield item, work(item)


def side_by_side(
    items: Sequence[Item], work: Callable[[Item], Outcome], jobs: int, died: Outcome
) -> Iterator[tuple[Item, Outcome]]:
    """Do the work in `jobs` processes; outcomes come in the order in which they are done.

    When a process dies, the pool is broken: the items that were at work are done again, each in a
    process of its own, so that only the item that kills its process is lost; its outcome is `died`.

    `items` and `work`, which raises nothing, can be pickled.
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
    """Work on `waiting` until it is empty or a process dies; returns the items that were at work
    when it died."""
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
    """Have new processes compute with one thread: two with two threads each fight over two cores.

    numpy and torch read the environment when they are imported, so it is set before a start.
    """
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

    def follow() -> None:
        parent.join()
        os._exit(1)  # not sys.exit, which would end this thread only

    threading.Thread(target=follow, daemon=True).start()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
