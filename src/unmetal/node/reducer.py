"""The process that reduces: what a damaged file does to a decoder happens there, not in the node.

It loads the method once and then waits for series. When it dies, or is too slow and is killed,
the next series gets a new one; and it ends itself when the node is gone.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
import time
import traceback
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

from pydicom import dcmread

from unmetal.errors import InputError
from unmetal.files.dicom.provenance import is_own
from unmetal.files.dicom.reading import tolerant
from unmetal.node.config import Reducing
from unmetal.node.log import keep_quiet

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


NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Outcome:
    """What came of a reduction that ended by itself."""

    slices: int = 0
    changed: int = 0
    """Slices that are not as they were."""

    warnings: tuple[str, ...] = ()
    """Each `name: sentence`."""

    skipped: str = ""
    """Why there is nothing to send."""

    error: str = ""
    """Why the series cannot be reduced; it never will be."""

    no_room: bool = False
    """Whether the disk was full: it can be, later."""

    seconds: float = 0.0


class Reduction:
    """A method, ready, and what is done with it."""

    def __init__(self, config: Reducing) -> None:
        """Load the method; raises `InputError` where `unmetal reduce` would."""
        from unmetal.device import choose_device  # noqa: PLC0415  (torch takes seconds)
        from unmetal.reduction.reduce_series import load_tool  # noqa: PLC0415

        self.config, self.tool = config, load_tool(config, choose_device(config.device))

    def __call__(self, images: Path, target: Path) -> Outcome:
        """Reduce the series in a folder into another one, with what else is asked for beside it."""
        begun = time.monotonic()
        try:
            if reason := not_for_us(images):
                outcome = Outcome(skipped=reason)
            else:
                outcome = self._reduce(images, target)
        except InputError as error:
            cause = error.__cause__
            full = isinstance(cause, OSError) and cause.errno in NO_ROOM
            outcome = Outcome(error=str(error), no_room=full)
        except OSError as error:
            outcome = Outcome(error=str(error), no_room=error.errno in NO_ROOM)
        except Exception:  # what nobody foresaw must not end the process: the next series is fine
            outcome = Outcome(error=f"a bug of unmetal:\n{traceback.format_exc()}")
        return replace(outcome, seconds=time.monotonic() - begun)

    def _reduce(self, images: Path, target: Path) -> Outcome:
        from unmetal.reduction.reduce_series import reduce_series  # noqa: PLC0415

        reduced = reduce_series(images, target, self.config, self.tool).reduced
        warnings = [*reduced.source.meta["warnings"]]
        warnings += [f"{caution.key}: {caution.said}" for caution in reduced.warnings]
        changed = len(reduced.changed)
        skipped = "" if changed else "nothing had to be done"
        return Outcome(len(reduced.metal), changed, tuple(dict.fromkeys(warnings)), skipped)


def not_for_us(images: Path) -> str:
    """Why a series is none that `reduce` is for; empty if it may be.

    A study brings localizers, and an archive that sends on whatever is new sends our own series
    back: neither is a failure that a person has to look at.
    """
    tags = ["ImageType", "DerivationCodeSequence", "ContributingEquipmentSequence"]
    with tolerant():
        headers = [
            dcmread(path, stop_before_pixels=True, specific_tags=tags) for path in images.iterdir()
        ]
        if any(map(is_own, headers)):
            return "made by unmetal"
        if all("LOCALIZER" in (header.get("ImageType") or ()) for header in headers):
            return "localizer"
    return ""
