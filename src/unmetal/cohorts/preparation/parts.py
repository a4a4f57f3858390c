"""Parts of a preparation: the slices of some files, stored until all files are read.

A part is a file that appears whole or not at all. It holds pseudonyms only, so that an interrupted
preparation identifies nobody either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unmetal.cohorts.preparation.layouts import VOLUMES, Kind
from unmetal.cohorts.preparation.manifest import Row
from unmetal.cohorts.preparation.selection import Rule
from unmetal.files.formats import suffix_of
from unmetal.files.staging import replacing

FILES_PER_CHUNK = 32
"""Files of one slice that are read together: half a second of work, 4 MiB."""


@dataclass(frozen=True)
class Chunk:
    """Files that are read together."""

    root: Path
    files: tuple[str, ...]
    """Relative to the root."""
    kind: Kind
    rule: Rule
    pixels: tuple[float | None, ...]
    """mm for each file; None where only the file knows."""
    side: str = "source"
    """`clean` for files of the second archive, which may have the same names."""

    def split(self) -> Iterator[Chunk]:
        """Each file alone."""
        for place, file in enumerate(self.files):
            yield replace(self, files=(file,), pixels=self.pixels[place : place + 1])

    def facts(self) -> Iterator[str]:
        """What the name of its part is hashed from: sizes and dates of files, rule, pixel sizes."""
        yield f"{self.side} {self.rule.__name__} {self.pixels}"
        for file in self.files:
            try:
                known = (self.root / file).stat()
                yield f"{file} {known.st_size} {known.st_mtime_ns}"
            except OSError:
                yield f"{file} ?"


class Part(NamedTuple):
    """The slices of a chunk, and a line of the manifest for each."""

    rows: list[Row]
    hu: np.ndarray
    """int16 `[n H W]`, HU: affected and clean slices, and a few that were left out."""
    place: np.ndarray
    """int `[n]`: the row that each belongs to."""


def make_chunks(
    root: Path,
    files: Sequence[str],
    kind: Kind,
    rule: Rule,
    pixels: Mapping[str, float],
    side: str = "source",
) -> Iterator[Chunk]:
    """Volumes alone, single slices together; `pixels` is in mm by the name of the folder."""
    together: list[str] = []

    def chunk(names: list[str]) -> Chunk:
        sizes = tuple(pixels.get(Path(name).parent.name) for name in names)
        return Chunk(root, tuple(names), kind, rule, sizes, side)

    for file in files:
        volume = suffix_of(Path(file)) in VOLUMES
        if together and (volume or len(together) == FILES_PER_CHUNK):
            yield chunk(together)
            together = []
        if volume:
            yield chunk([file])
        else:
            together.append(file)
    if together:
        yield chunk(together)


def save_part(part: Part, path: Path) -> None:
    """Write a part: under its name it appears only when it is complete and on the disk."""
    rows = json.dumps([asdict(row) for row in part.rows])
    with replacing(path, sync=True) as partial:
        np.savez(partial, rows=np.array(rows), hu=part.hu, place=part.place)


def load_rows(path: Path) -> list[Row]:
    """The lines of a part; its slices stay on the disk."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        return [Row(**row) for row in json.loads(str(held["rows"]))]


def load_slices(path: Path) -> dict[int, np.ndarray]:
    """Row -> slice, int16 `[H W]` in HU, of a part."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        return dict(zip(held["place"].tolist(), held["hu"], strict=True))
