"""A process that carries out tasks one after the other, and can be ended in the middle of one.

Files are read, series reduced and results exported in such processes: what a damaged file does to a
decoder does not end the server, and memory goes back when a process ends.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from unmetal.errors import InputError
from unmetal.workers import init_worker

Report = Callable[[Any], object]
"""What a task calls to say how far it is, with anything that can be pickled."""


class ProcessEndedError(Exception):
    """The process ended before its task did: it was stopped, ran out of memory, or crashed."""


class TaskFailedError(Exception):
    """A bug in a task; the message says where, without values that could identify anybody."""


class TaskProcess:
    """The handle of a process, which starts with its first task. One thread runs tasks, any may
    stop it."""

    def __init__(self, module: str = "") -> None:
        self.module = module
        """What it imports before its first task."""
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._closed = False
        self._lock = threading.Lock()  # of start and stop

    def run(
        self,
        report: Report,
        task: str,
        *arguments: Any,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Any:
        """Carry out a task and return its result.

        task: `module:function` of `function(report, *arguments)`. A name, so that only the process
            imports what the task needs.
        wanted: whether it is still to be done, asked once it is too late to miss a `stop`.
        Raises `InputError` where the task does, `TaskFailedError` for any other exception in it,
        and `ProcessEndedError`.
        """
        pipe = self._started()
        if not wanted():
            raise ProcessEndedError("the task is not wanted any more")
        try:
            pipe.send((task, arguments))
            while True:
                kind, content = pipe.recv()
                if kind == "report":
                    report(content)
                elif kind == "refused":
                    raise InputError(content)
                elif kind == "failed":
                    raise TaskFailedError(content)
                else:
                    return content
        except (EOFError, OSError) as error:
            with self._lock:
                raise ProcessEndedError(self._forget()) from error

    def start(self) -> None:
        """Start it before there is a task, to have its imports done by then."""
        self._started()

    def stop(self) -> None:
        """End the process at once, and whatever it does; the next task gets a new one."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the process, and start no other."""
        self._closed = True
        self.stop()

    def _started(self) -> Connection:
        """The pipe to the process, which is started where none runs."""
        with self._lock:
            return self._pipe_of_process()

    def _pipe_of_process(self) -> Connection:
        if self._closed:
            raise ProcessEndedError("the server ends")
        if self._process is not None and not self._process.is_alive():
            self._forget()
        if self._pipe is None:
            context = multiprocessing.get_context("spawn")
            self._pipe, other_end = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(other_end, self.module), daemon=True
            )
            self._process.start()
            other_end.close()
        return self._pipe

    def _forget(self) -> str:
        """Let go of a process that has ended; returns what is known of its end."""
        assert self._process is not None
        assert self._pipe is not None
        self._process.kill()
        self._process.join()
        self._pipe.close()
        code = self._process.exitcode
        self._process = self._pipe = None
        return f"the process ended (exit code {code})"


def _serve(pipe: Connection, module: str) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it, too; the server ends it
    init_worker()
    if module:
        import_module(module)
    with suppress(EOFError, OSError):  # the server has ended
        while True:
            pipe.send(_outcome(pipe, *pipe.recv()))


def _outcome(pipe: Connection, task: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """The last message about a task."""
    module, function = task.split(":")
    try:
        work = getattr(import_module(module), function)
        return "done", work(lambda content: pipe.send(("report", content)), *arguments)
    except InputError as error:
        return "refused", str(error)
    except MemoryError:
        return "refused", "not enough memory: close other series first"
    except Exception as error:  # a bug ends this task and not the process
        return "failed", where_it_failed(error)


def where_it_failed(error: BaseException) -> str:
    """Kind and place of an exception. Not its message, which may quote a header."""
    frames = traceback.extract_tb(error.__traceback__)
    place = next((f for f in reversed(frames) if "unmetal" in f.filename), frames[-1])
    name = place.filename.rpartition("unmetal")[2].lstrip("/\\")
    return f"a bug of unmetal: {type(error).__name__} at {name}:{place.lineno}"
