"""A complete series in the spool: its images, what was derived from them, what is still to send."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from unmetal.files.staging import fsync
from unmetal.node.queue import durable

TIME_FORMAT = "%Y%m%dT%H%M%S%f"
"""UTC; names of jobs sort by age."""

STATE_FILE = "state.json"


@dataclass(frozen=True)
class Job:
    """The folder of one complete series; its parent folder is the stage that it has reached."""

    folder: Path

    @property
    def name(self) -> str:
        """`TIME-SERIES`."""
        return self.folder.name

    @property
    def series(self) -> str:
        """Hash of its study and series UID; see `Instance.series`."""
        return self.name.rpartition("-")[2]

    @property
    def completed_at(self) -> datetime:
        """When the series was complete."""
        return datetime.strptime(self.name.partition("-")[0], TIME_FORMAT).replace(tzinfo=UTC)

    @property
    def images(self) -> Path:
        """Folder of the received DICOM files."""
        return self.folder / "images"

    @property
    def derived(self) -> Path:
        """Folder of the results: the derived series in `series/`, under the file names of its
        source images, and beside it the difference and the metal, where these are asked for."""
        return self.folder / "derived"

    @property
    def state(self) -> JobState:
        """What else is remembered about it, read from the disk."""
        return JobState.load(self.folder)

    def image_names(self) -> list[str]:
        """File names in `images`."""
        return sorted(os.listdir(self.images))

    def derived_names(self) -> list[str]:
        """Paths of all derived files, relative to `derived`."""
        files = (path for path in self.derived.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.derived).as_posix() for path in files)

    def enqueue(self, names: list[str], destinations: tuple[str, ...]) -> None:
        """Note that these derived files are to go to every destination: an empty file for each."""
        for destination in destinations:
            folder = self.outbox(destination)
            folder.mkdir(parents=True)
            for name in names:
                (folder / quote(name, safe="")).touch()
            fsync(folder)
            fsync(folder.parent)

    def unsent(self, destination: str) -> list[Path]:
        """The derived files that this destination has not confirmed."""
        folder = self.outbox(destination)
        if not folder.is_dir():
            return []
        return [self.derived / unquote(name) for name in sorted(os.listdir(folder))]

    def confirm(self, destination: str, image: Path) -> None:
        """Note that the destination has a derived file, so that it is never sent there again.

        Deleting an empty file needs no space, so this works on a full disk, too.
        """
        name = image.relative_to(self.derived).as_posix()
        durable.unlink(self.outbox(destination) / quote(name, safe=""))

    def pending_destinations(self) -> list[str]:
        """The destinations that have not confirmed every file."""
        folders = (self.folder / "to").glob("*/")
        return sorted(unquote(path.name) for path in folders if any(path.iterdir()))

    def outbox(self, destination: str, kind: str = "to") -> Path:
        """Folder of what a destination has not confirmed; of kind `failed` once it was given up."""
        return self.folder / kind / quote(destination, safe="@:")


@dataclass(frozen=True)
class JobState:
    """What is remembered about a series across crashes, in one file that is replaced as a whole."""

    attempts: int = 0
    """Reductions begun; a series that kills its process each time is given up after some."""

    warnings: tuple[str, ...] = ()
    """Each `name: sentence`."""

    seconds: float = 0.0
    """Duration of the reduction."""

    def save(self, folder: Path) -> None:
        """Write it into the folder of a series."""
        durable.write(folder / STATE_FILE, json.dumps(asdict(self), indent=1).encode())

    @classmethod
    def load(cls, folder: Path) -> JobState:
        """Read it; a new one where there is none, or a damaged one."""
        try:
            held = json.loads((folder / STATE_FILE).read_text())
            known = {field.name: held[field.name] for field in fields(cls) if field.name in held}
            return cls(**known | {"warnings": tuple(known.get("warnings", ()))})
        except (OSError, ValueError, TypeError):
            return cls()
