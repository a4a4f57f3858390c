"""Which images are done with: one small file for each job, long after its images are gone."""

from __future__ import annotations

import json
import time
from pathlib import Path

from unmetal.dicom import durable
from unmetal.dicom.record import Record

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
