"""A series that is complete: a folder with its images, what was made of them, and who lacks it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from unmetal.node.queue import durable

STAMP = "%Y%m%dT%H%M%S%f"
"""UTC, so that names sort by age."""


@dataclass(frozen=True)
class Job:
    """A complete series, on its way; the folder that `folder` lies in is its state."""

    folder: Path

    @property
    def name(self) -> str:
        """Time and series."""
        return self.folder.name

    @property
    def series(self) -> str:
        """Hash of its UIDs."""
        return self.name.rpartition("-")[2]

    @property
    def since(self) -> datetime:
        """When it was complete."""
        return datetime.strptime(self.name.partition("-")[0], STAMP).replace(tzinfo=UTC)

    @property
    def images(self) -> Path:
        """What came."""
        return self.folder / "images"

    @property
    def derived(self) -> Path:
        """What was made of it: in it `series/`, with files of the same names, and what else."""
        return self.folder / "derived"

    @property
    def record(self) -> Record:
        """What else is known."""
        return load(self.folder)

    def names(self) -> list[str]:
        """The files of its images."""
        return sorted(os.listdir(self.images))

    def made(self) -> list[str]:
        """The files derived from them, relative to `derived`."""
        files = (path for path in self.derived.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.derived).as_posix() for path in files)

    def address(self, names: list[str], destinations: tuple[str, ...]) -> None:
        """Note that every destination lacks these derived files: an empty file for each."""
        for destination in destinations:
            folder = self.to(destination)
            folder.mkdir(parents=True)
            for name in names:
                (folder / quote(name, safe="")).touch()
            durable.sync(folder)
            durable.sync(folder.parent)

    def unsent(self, destination: str) -> list[Path]:
        """The derived files that this destination has not confirmed."""
        folder = self.to(destination)
        if not folder.is_dir():
            return []
        return [self.derived / unquote(name) for name in sorted(os.listdir(folder))]

    def confirm(self, destination: str, image: Path) -> None:
        """The destination has it: never send it there again.

        Deleting an empty file needs no space, so it works on a full disk too.
        """
        name = image.relative_to(self.derived).as_posix()
        durable.remove(self.to(destination) / quote(name, safe=""))

    def destinations(self) -> list[str]:
        """Those that lack something."""
        folders = (self.folder / "to").glob("*/")
        return sorted(unquote(path.name) for path in folders if any(path.iterdir()))

    def to(self, destination: str, state: str = "to") -> Path:
        """The folder of what a destination lacks; `state` is `failed` when it was given up."""
        return self.folder / state / quote(destination, safe="@:")


FILE = "record.json"


@dataclass(frozen=True)
class Record:
    """Survives a crash; replaced as a whole."""

    attempts: int = 0
    """Reductions begun. One that kills its process is not tried for ever."""

    warnings: tuple[str, ...] = ()
    """Named warnings, in order."""

    seconds: float = 0.0
    """What the reduction took."""

    def warned(self, *warnings: str) -> Record:
        """With further warnings, each once."""
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *warnings))))

    def save(self, folder: Path) -> None:
        """Keep it in a series' folder."""
        durable.write(folder / FILE, json.dumps(asdict(self), indent=1).encode())


def load(folder: Path) -> Record:
    """The record of a series' folder; a new one where there is none, or a damaged one."""
    try:
        held = json.loads((folder / FILE).read_text())
        known = {field.name: held[field.name] for field in fields(Record) if field.name in held}
        return Record(**known | {"warnings": tuple(known.get("warnings", ()))})
    except (OSError, ValueError, TypeError):
        return Record()
