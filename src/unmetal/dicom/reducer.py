"""The process that reduces: what a damaged file does to a decoder happens there, not in the node.

It loads the method once and then waits for series. When it dies, or is too slow and is killed,
the next series gets a new one; and it ends itself when the node is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection, wait
from pathlib import Path

from unmetal.dicom.config import Reducing
from unmetal.dicom.log import keep_quiet
from unmetal.dicom.reduction import Outcome, Reduction
from unmetal.errors import InputError

START_S = 600.0
"""Seconds to import torch and load the method, on a slow disk."""


class DiedError(Exception):
    """The process ended before the series did, or was too slow."""


class Reducer:
    """The node's end of it. Used by one thread."""

    def __init__(self, config: Reducing) -> None:
        self.config = config
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Make the process, where there is none, and wait until its method is loaded.

        Raises `InputError` if it cannot be, and `DiedError`.
        """
        if self._pipe is not None:
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, self.config), daemon=True, name="unmetal-reducer"
        )
        self._process.start()
        theirs.close()
        answer = self._answer(START_S)
        if isinstance(answer, InputError):
            self._end()
            raise answer

    def __call__(self, images: Path, target: Path) -> Outcome:
        """Reduce the series in `images` into `target`, after `start`; raises `DiedError`."""
        assert self._pipe is not None
        try:
            self._pipe.send((images, target))
        except OSError:
            raise self._end("was gone") from None
        answer = self._answer(60 * self.config.time_limit)
        assert isinstance(answer, Outcome)
        return answer

    def stop(self) -> None:
        """End the process, whatever it does; from any thread."""
        process = self._process
        if process is not None:
            process.kill()

    def _answer(self, seconds: float) -> Outcome | InputError | None:
        assert self._pipe is not None
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError):
            raise self._end("ended") from None
        raise self._end(f"was not done after {seconds:g} s")

    def _end(self, fate: str = "") -> DiedError:
        """Clear up, so that the next series gets a new process."""
        assert self._process is not None
        assert self._pipe is not None
        self._process.kill()
        self._process.join()
        self._pipe.close()
        code = self._process.exitcode
        self._process = self._pipe = None
        return DiedError(f"the reducing process {fate} (exit code {code})")


def serve(pipe: Connection, config: Reducing) -> None:
    """The reducing process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_quiet(None)
    try:
        reduction = Reduction(config)
    except InputError as error:
        pipe.send(error)
        return
    pipe.send(None)
    while True:
        try:
            images, target = pipe.recv()
        except EOFError:
            return
        pipe.send(reduction(images, target))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
