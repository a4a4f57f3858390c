"""The queue on disk: a folder for each state, in it a folder for each series; a step is a rename.

    receiving/SERIES/      images of a series that is not complete
    waiting/JOB/           complete, not begun
    reducing/JOB/          in the hands of the worker
    sending/JOB/           reduced; `to/DESTINATION/` holds an empty file for each image to send
    done/SERIES/JOB.json   what came of it, and which images are done with
    dead/JOB/              given up, with the reason in `reason.txt`

A job is in exactly one state at any moment, whenever the process dies; `recover` undoes every step
that was begun and not finished.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from unmetal.errors import InputError
from unmetal.node.queue import durable
from unmetal.node.queue.job import STAMP, Job, Record

STATES = ("receiving", "waiting", "reducing", "sending", "dead")
"""What is in one of these is still to be dealt with, by the node or by a person."""


class Spool:
    """The folder, and every step that a series can make in it."""

    def __init__(self, folder: Path) -> None:
        """Open it, and clear up after a crash; raises `InputError` if another node has it."""
        self.folder = folder
        self.lock = threading.RLock()
        """Held for every step: whoever looks sees each series in exactly one place."""
        self.ledger = Ledger(folder / "done")
        self._held: IO[str] | None = None
        try:
            for name in (*STATES, "arriving", "trash", "done"):
                durable.make(folder / name)
            self._hold()
            self.recover()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise InputError(f"{folder}: cannot be the spool: {error.strerror}") from error
            raise

    def close(self) -> None:
        """Let another node have it."""
        if self._held is not None:
            self._held.close()

    def recover(self) -> None:
        """Undo every step that was begun and not finished; doing so twice changes nothing."""
        for part in (self.folder / "arriving").iterdir():
            part.unlink()
        for folder in (self.folder / "trash").iterdir():
            durable.discard(folder)
        for folder in (self.folder / "receiving").iterdir():
            if not any((folder / "images").glob("*.dcm")):
                durable.discard(folder)
        for job in self.jobs("reducing"):
            self._step(job, "waiting")
        for job in self.jobs("sending"):
            self.settle(job)

    def jobs(self, state: str) -> list[Job]:
        """Oldest first."""
        return [Job(path) for path in sorted((self.folder / state).iterdir()) if path.is_dir()]

    def counts(self) -> dict[str, int]:
        """Series in each state."""
        with self.lock:
            return {state: len(os.listdir(self.folder / state)) for state in STATES}

    def has(self, series: str, image: str) -> bool:
        """Whether an image is here, or was dealt with. Dead letters do not count, so that sending
        a series again revives it."""
        with self.lock:
            places = [self.folder / "receiving" / series]
            for state in ("waiting", "reducing", "sending"):
                places += [job.folder for job in self.jobs(state) if job.series == series]
            there = any((place / "images" / image).exists() for place in places)
            return there or image in self.ledger.images(series)

    def known(self, series: str) -> set[str]:
        """The images of a series that are or were anywhere, dead letters too."""
        with self.lock:
            places = [self.folder / "receiving" / series]
            for state in STATES[1:]:
                places += [job.folder for job in self.jobs(state) if job.series == series]
            here = {path.name for place in places for path in (place / "images").glob("*.dcm")}
            return here | self.ledger.images(series)

    def complete(self, series: str, *warnings: str) -> Job:
        """receiving -> waiting."""
        with self.lock:
            folder = self.folder / "receiving" / series
            if warnings:
                Record().warned(*warnings).save(folder)
            stamp = datetime.now(UTC).strftime(STAMP)
            return self._step(Job(folder), "waiting", f"{stamp}-{series}")

    def begin(self, job: Job) -> Job:
        """waiting -> reducing, with one attempt more."""
        with self.lock:
            held = job.record
            replace(held, attempts=held.attempts + 1).save(job.folder)
            for left in ("derived", "to"):
                durable.discard(job.folder / left)
            return self._step(job, "reducing")

    def give_back(self, job: Job, *, counted: bool) -> None:
        """reducing -> waiting; `counted` if it was the series' own fault, as far as one knows."""
        with self.lock:
            if not counted:
                held = job.record
                replace(held, attempts=held.attempts - 1).save(job.folder)
            self._step(job, "waiting")

    def reduced(self, job: Job, destinations: tuple[str, ...]) -> Job:
        """reducing -> sending. What an earlier round sent is not sent again, nor does an object
        about the whole series follow one that is out already: it would have the same UID."""
        durable.settle(job.derived)
        gone, came = self.ledger.images(job.series), set(job.names())
        fresh = came - gone if gone else {name.rpartition("/")[2] for name in job.made()}
        names = [name for name in job.made() if name.rpartition("/")[2] in fresh]
        job.address(names, destinations)
        with self.lock:
            job = self._step(job, "sending")
            self.settle(job)
            return job

    def settle(self, job: Job) -> bool:
        """sending -> done if no destination lacks anything, -> dead if one was given up; whether
        it made one of these steps."""
        with self.lock:
            failed = job.folder / "failed"
            if not job.folder.exists() or job.destinations():
                return False
            if failed.exists():
                durable.discard(job.folder / "to")
                durable.move(failed, job.folder / "to")
                self.bury(job, "could not be sent to " + ", ".join(job.destinations()))
            else:
                self.finish(job, "sent")
            return True

    def fail(self, job: Job, destination: str) -> None:
        """Give a destination up; the others still get theirs."""
        with self.lock:
            durable.make(job.folder / "failed")
            durable.move(job.to(destination), job.to(destination, "failed"))
            self.settle(job)

    def finish(self, job: Job, outcome: str) -> None:
        """-> done: from here on its images are known, and nothing else of it is kept."""
        with self.lock:
            self.ledger.enter(job.series, job.name, outcome, job.names(), job.record)
            durable.discard(self._step(job, "trash").folder)

    def bury(self, job: Job, reason: str) -> None:
        """-> dead. Its attempts are forgotten: a person may move it back with `mv`."""
        with self.lock:
            durable.write(job.folder / "reason.txt", f"{reason}\n".encode())
            replace(job.record, attempts=0).save(job.folder)
            self._step(job, "dead")

    def _step(self, job: Job, state: str, name: str | None = None) -> Job:
        target = self.folder / state / (name or job.name)
        durable.move(job.folder, target)
        return Job(target)

    def _hold(self) -> None:
        """One node a spool; the system lets go when the process ends, however it ends."""
        self._held = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{self.folder}: another node uses this spool") from error


REMEMBERED = 30 * 24 * 3600.0
"""Seconds: after this long nobody sends the same image again by mistake."""


class Ledger:
    """The folder `done/` of the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enter(self, series: str, job: str, outcome: str, images: list[str], record: Record) -> None:
        """Note what came of a job; entering it again replaces the note."""
        note = {
            "outcome": outcome,
            "warnings": record.warnings,
            "seconds": record.seconds,
            "images": images,
        }
        durable.make(self.folder / series)
        durable.write(self.folder / series / f"{job}.json", json.dumps(note, indent=1).encode())

    def images(self, series: str) -> set[str]:
        """The images of a series that were dealt with."""
        return {image for note in self.notes(series) for image in note["images"]}

    def notes(self, series: str) -> list[dict]:
        """What came of a series, round by round."""
        return [json.loads(path.read_text()) for path in sorted(self._of(series))]

    def forget(self) -> None:
        """Drop what is older than `REMEMBERED`."""
        limit = time.time() - REMEMBERED
        for folder in self.folder.iterdir():
            for path in folder.glob("*.json"):
                if path.stat().st_mtime < limit:
                    path.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()

    def _of(self, series: str) -> list[Path]:
        folder = self.folder / series
        return list(folder.glob("*.json")) if folder.is_dir() else []
