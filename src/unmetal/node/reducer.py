"""Reduction in a process of its own: a decoder that a damaged file crashes does not end the node.

The process loads the method once and then waits for series. When it dies, or is killed because it
takes too long, the next series gets a new one. It exits with the node.
"""

from __future__ import annotations

import errno
import multiprocessing
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom import dcmread

from unmetal.errors import InputError, short_error
from unmetal.files.dicom.provenance import made_by_unmetal
from unmetal.files.dicom.reading import tolerant
from unmetal.node.config import ReduceConfig
from unmetal.node.log import silence_libraries
from unmetal.workers import end_with_parent

if TYPE_CHECKING:
    from unmetal.reduction.reduce_series import Done

START_TIMEOUT_S = 600.0
"""To import torch and load the method, on a slow disk."""

REPORT = "report.dcm"
"""File name of the report that is sent."""

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class ProcessDiedError(Exception):
    """The reducing process ended before the series did, or took too long."""


@dataclass(frozen=True)
class Outcome:
    """What came of the reduction of one series."""

    slices: int = 0
    changed: int = 0
    """Slices with another content than before."""

    warnings: tuple[str, ...] = ()
    """Each `name: sentence`."""

    skipped: str = ""
    """Why there is nothing to send; empty if there is."""

    error: str = ""
    """Why the series cannot be reduced, now or ever; empty if it was."""

    disk_full: bool = False
    """Whether `error` is a full disk: the series can be reduced later."""

    seconds: float = 0.0


class ReducerProcess:
    """The node's handle of the process; one thread uses it, and any may stop it."""

    def __init__(self, config: ReduceConfig) -> None:
        self.config = config
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process, where none runs, and wait until its method is loaded.

        Raises `InputError` for a method that cannot be loaded, and `ProcessDiedError`.
        """
        if self._pipe is not None:
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, other_end = context.Pipe()
        self._process = context.Process(target=serve, args=(other_end, self.config), daemon=True)
        self._process.start()
        other_end.close()
        answer = self._receive(START_TIMEOUT_S)
        if isinstance(answer, InputError):
            self._kill()
            raise answer

    def __call__(self, images: Path, target: Path) -> Outcome:
        """Reduce the series in the folder `images` into `target`; raises `ProcessDiedError`."""
        assert self._pipe is not None, "not started"
        try:
            self._pipe.send((images, target))
        except OSError:
            raise self._kill("was gone") from None
        answer = self._receive(60 * self.config.time_limit)
        assert isinstance(answer, Outcome)
        return answer

    def stop(self) -> None:
        """Kill the process; from any thread."""
        if (process := self._process) is not None:
            process.kill()

    def _receive(self, seconds: float) -> Outcome | InputError | None:
        assert self._pipe is not None
        try:
            if self._pipe.poll(seconds):
                return self._pipe.recv()
        except (EOFError, OSError):
            raise self._kill("ended") from None
        raise self._kill(f"was not done after {seconds:g} s")

    def _kill(self, what_happened: str = "") -> ProcessDiedError:
        """Kill and forget the process, so that `start` makes a new one; returns what to raise."""
        assert self._process is not None
        assert self._pipe is not None
        self._process.kill()
        self._process.join()
        self._pipe.close()
        code = self._process.exitcode
        self._process = self._pipe = None
        return ProcessDiedError(f"the reducing process {what_happened} (exit code {code})")


def serve(pipe: Connection, config: ReduceConfig) -> None:
    """What the process does: answer None or an `InputError`, then an `Outcome` for each series."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it, too; the node ends it
    end_with_parent()
    silence_libraries(None)
    try:
        reducer = Reducer(config)
    except InputError as error:
        pipe.send(error)
        return
    pipe.send(None)
    with suppress(EOFError):  # the node has ended
        while True:
            pipe.send(reducer(*pipe.recv()))


class Reducer:
    """A method, loaded, that reduces series from folder to folder as `unmetal reduce` does."""

    def __init__(self, config: ReduceConfig) -> None:
        """Load the method; raises `InputError` where `unmetal reduce` would."""
        from unmetal.device import choose_device  # noqa: PLC0415  (torch takes seconds)
        from unmetal.reduction.reduce_series import load_tool  # noqa: PLC0415

        self.config, self.tool = config, load_tool(config, choose_device(config.device))

    def __call__(self, images: Path, target: Path) -> Outcome:
        """Reduce the series in `images` into the new folder `target`; the difference and the metal,
        where these are asked for, go beside it. Raises nothing."""
        begun = time.monotonic()
        try:
            if reason := skip_reason(images):
                outcome = Outcome(skipped=reason)
            else:
                outcome = self._reduce(images, target)
        except (InputError, OSError) as error:
            cause = error.__cause__ if isinstance(error, InputError) else error
            disk_full = isinstance(cause, OSError) and cause.errno in DISK_FULL
            outcome = Outcome(error=str(error), disk_full=disk_full)
        except Exception:  # a bug ends this series and not the process
            outcome = Outcome(error=f"a bug of unmetal:\n{traceback.format_exc()}")
        return replace(outcome, seconds=time.monotonic() - begun)

    def _reduce(self, images: Path, target: Path) -> Outcome:
        from unmetal.reduction.reduce_series import reduce_series  # noqa: PLC0415

        done = reduce_series(images, target, self.config, self.tool)
        reduced = done.reduced
        warnings = [*reduced.source.meta["warnings"]]
        warnings += [f"{flag.key}: {flag.message}" for flag in reduced.warnings]
        warnings += self._report(done, images, target)
        changed = len(reduced.changed)
        skipped = "" if changed else "nothing had to be done"
        return Outcome(len(reduced.metal), changed, tuple(dict.fromkeys(warnings)), skipped)

    def _report(self, done: Done, images: Path, target: Path) -> Iterator[str]:
        """Write the reports that are asked for: one for people here under the job's name, and one
        beside the results, to be sent. Yields a warning for each that cannot be: the results are
        worth more."""
        from unmetal.reduction.report.document import write_document  # noqa: PLC0415
        from unmetal.reduction.report.page import write_report  # noqa: PLC0415

        try:
            if self.config.send_report and len(done.reduced.changed):
                write_document(done, target.with_name(REPORT))
            if self.config.report is not None:
                self.config.report.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Replacing that of an attempt that was cut short.
                write_report(done, self.config.report / images.parent.name, force=True)
        except Exception as error:  # whatever it is, it concerns the report alone
            yield f"report: {type(error).__name__}: {short_error(error)}"


def skip_reason(images: Path) -> str:
    """Why a series is not to be reduced, which is no failure; empty if it is.

    A study holds localizers, and an archive that forwards all that is new sends our own series
    back.
    """
    tags = ["ImageType", "DerivationCodeSequence", "ContributingEquipmentSequence"]
    with tolerant():
        headers = [
            dcmread(path, stop_before_pixels=True, specific_tags=tags) for path in images.iterdir()
        ]
        if any(map(made_by_unmetal, headers)):
            return "made by unmetal"
        if all("LOCALIZER" in (header.get("ImageType") or ()) for header in headers):
            return "localizer"
    return ""
