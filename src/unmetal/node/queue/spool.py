"""The queue on disk: a folder for each stage, in it a folder for each series; a step is a rename.

    receiving/SERIES/      images of a series that is not complete
    waiting/JOB/           complete, not begun
    reducing/JOB/          being reduced
    sending/JOB/           reduced; `to/DESTINATION/` holds an empty file for each image to send
    done/SERIES/JOB.json   the outcome, and the names of the images
    dead/JOB/              given up, with the reason in `reason.txt`

    arriving/              files that are being written
    trash/                 folders that are being deleted
    .lock                  held by the one node that uses the spool

A job is in exactly one stage whenever the process dies; `Spool.recover` undoes a step that was
begun and not finished.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from unmetal.errors import InputError
from unmetal.files.staging import exclusive_lock
from unmetal.node.queue import durable
from unmetal.node.queue.job import TIME_FORMAT, Job, JobState

STAGES = ("receiving", "waiting", "reducing", "sending", "dead")
"""Series in one of these are still to be dealt with, by the node or by a person."""

REMEMBER_S = 30 * 24 * 3600.0
"""How long the images of a finished series are known; one that comes later is reduced again."""


class Spool:
    """The folder, and every step of a series from one stage to another."""

    def __init__(self, folder: Path) -> None:
        """Open it, and clear up after a crash; raises `InputError` if another node uses it."""
        self.folder = folder
        self.lock = threading.RLock()
        """Held for every step: each thread sees a series in exactly one place."""
        self.history = History(folder / "done")
        try:
            with ExitStack() as held:
                for name in (*STAGES, "arriving", "trash", "done"):
                    durable.mkdir(folder / name)
                held.enter_context(exclusive_lock(folder))
                self.recover()
                self._held = held.pop_all()
        except InputError as error:
            raise InputError(f"{folder}: another node uses this spool") from error
        except OSError as error:
            raise InputError(f"{folder}: cannot be the spool: {error.strerror}") from error

    def close(self) -> None:
        """Let another node use it; the end of the process does so, too."""
        self._held.close()

    def recover(self) -> None:
        """Undo every step that was begun and not finished; to do so twice changes nothing."""
        for part in (self.folder / "arriving").iterdir():
            part.unlink()
        for folder in (self.folder / "trash").iterdir():
            durable.rmtree(folder)
        for folder in (self.folder / "receiving").iterdir():
            if not any((folder / "images").glob("*.dcm")):
                durable.rmtree(folder)
        for job in self.jobs("reducing"):
            self._move(job, "waiting")
        for job in self.jobs("sending"):
            self.finish_if_delivered(job)

    def jobs(self, stage: str) -> list[Job]:
        """The jobs of a stage, oldest first."""
        return [Job(path) for path in sorted((self.folder / stage).iterdir()) if path.is_dir()]

    def counts(self) -> dict[str, int]:
        """Number of series in each stage."""
        with self.lock:
            return {stage: len(os.listdir(self.folder / stage)) for stage in STAGES}

    def free_bytes(self) -> int:
        """Free space on its file system."""
        return shutil.disk_usage(self.folder).free

    def has_image(self, series: str, image: str) -> bool:
        """Whether an image is here or was dealt with. Dead letters do not count, so that sending
        a series again revives it."""
        with self.lock:
            folders = self._image_folders(series, ("waiting", "reducing", "sending"))
            here = any((folder / image).exists() for folder in folders)
            return here or image in self.history.images(series)

    def known_images(self, series: str) -> set[str]:
        """Names of a series' images that are or were here, those of dead letters included."""
        with self.lock:
            folders = self._image_folders(series, STAGES[1:])
            here = {path.name for folder in folders for path in folder.glob("*.dcm")}
            return here | self.history.images(series)

    def _image_folders(self, series: str, stages: tuple[str, ...]) -> list[Path]:
        jobs = [job for stage in stages for job in self.jobs(stage) if job.series == series]
        return [self.folder / "receiving" / series / "images", *(job.images for job in jobs)]

    def complete(self, series: str, *warnings: str) -> Job:
        """receiving -> waiting."""
        with self.lock:
            folder = self.folder / "receiving" / series
            if warnings:
                JobState(warnings=warnings).save(folder)
            stamp = datetime.now(UTC).strftime(TIME_FORMAT)
            return self._move(Job(folder), "waiting", f"{stamp}-{series}")

    def start_reducing(self, job: Job) -> Job:
        """waiting -> reducing, and count the attempt."""
        with self.lock:
            state = job.state
            replace(state, attempts=state.attempts + 1).save(job.folder)
            for left in ("derived", "to"):
                durable.rmtree(job.folder / left)
            return self._move(job, "reducing")

    def requeue(self, job: Job, *, count_attempt: bool) -> None:
        """reducing -> waiting; the attempt counts if the series may have been its failure."""
        with self.lock:
            if not count_attempt:
                state = job.state
                replace(state, attempts=state.attempts - 1).save(job.folder)
            self._move(job, "waiting")

    def start_sending(self, job: Job, destinations: tuple[str, ...]) -> Job:
        """reducing -> sending.

        Where some images of the series were dealt with before (these are late ones), only files
        of new images are sent: an object about the whole series would have the UID of the first.
        """
        durable.fsync_tree(job.derived)
        before, now = self.history.images(job.series), set(job.image_names())
        names = job.derived_names()
        if before:
            names = [name for name in names if name.rpartition("/")[2] in now - before]
        job.enqueue(names, destinations)
        with self.lock:
            job = self._move(job, "sending")
            self.finish_if_delivered(job)
            return job

    def finish_if_delivered(self, job: Job) -> bool:
        """sending -> done when every destination has everything, or -> dead if one of them was
        given up; False while something is still to be sent."""
        with self.lock:
            failed = job.folder / "failed"
            if not job.folder.exists() or job.pending_destinations():
                return False
            if failed.exists():
                durable.rmtree(job.folder / "to")
                durable.rename(failed, job.folder / "to")
                names = ", ".join(job.pending_destinations())
                self.dead_letter(job, f"could not be sent to {names}")
            else:
                self.finish(job, "sent")
            return True

    def give_up(self, job: Job, destination: str) -> None:
        """Send no more to one destination; the others still get theirs."""
        with self.lock:
            durable.mkdir(job.folder / "failed")
            durable.rename(job.outbox(destination), job.outbox(destination, "failed"))
            self.finish_if_delivered(job)

    def finish(self, job: Job, outcome: str) -> None:
        """-> done: only the outcome and the names of the images are kept."""
        with self.lock:
            self.history.add(job, outcome)
            durable.rmtree(self._move(job, "trash").folder)

    def dead_letter(self, job: Job, reason: str) -> None:
        """-> dead. Its attempts are forgotten: a person may move it back with `mv`."""
        with self.lock:
            durable.write(job.folder / "reason.txt", f"{reason}\n".encode())
            replace(job.state, attempts=0).save(job.folder)
            self._move(job, "dead")

    def _move(self, job: Job, stage: str, name: str | None = None) -> Job:
        target = self.folder / stage / (name or job.name)
        durable.rename(job.folder, target)
        return Job(target)


class History:
    """What became of finished series: the folder `done/` of the spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, job: Job, outcome: str) -> None:
        """Note the outcome of a job; adding it again replaces the note."""
        state = job.state
        note = {"outcome": outcome, "warnings": state.warnings, "seconds": state.seconds}
        note["images"] = job.image_names()
        folder = self.folder / job.series
        durable.mkdir(folder)
        durable.write(folder / f"{job.name}.json", json.dumps(note, indent=1).encode())

    def images(self, series: str) -> set[str]:
        """Names of the images of a series that were dealt with."""
        # Not those that begin with a dot: notes whose writing was interrupted.
        paths = (self.folder / series).glob("[!.]*.json")
        notes = [json.loads(path.read_text()) for path in paths]
        return {image for note in notes for image in note["images"]}

    def prune(self) -> None:
        """Drop what is older than `REMEMBER_S`."""
        limit = time.time() - REMEMBER_S
        for folder in self.folder.iterdir():
            for path in folder.glob("*.json"):
                if path.stat().st_mtime < limit:
                    path.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()
