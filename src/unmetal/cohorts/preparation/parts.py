"""Parts of a preparation: the slices of some files, stored until all files are read.

A part is a file that appears whole or not at all. It holds pseudonyms only, so that an interrupted
preparation identifies nobody either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from unmetal.cohorts.preparation.layouts import VOLUMES, Kind
from unmetal.cohorts.preparation.manifest import Row
from unmetal.cohorts.preparation.selection import Rule
from unmetal.files.formats import suffix_of
from unmetal.files.staging import replacing

FILES_PER_CHUNK = 32
"""Files of one slice that are read together: half a second of work, 4 MiB."""

Judged = tuple[Row, np.ndarray | None]
"""A line of the manifest, and the slice, int16 `[256 256]` in HU, where it is kept."""


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


def make_chunks(
    root: Path,
    files: Sequence[str],
    kind: Kind,
    rule: Rule,
    pixels: Mapping[str, float],
    side: str = "source",
) -> Iterator[Chunk]:
    """Volumes alone, single slices together; `pixels` is in mm by the name of the folder."""
    for is_volume, group in groupby(files, lambda file: suffix_of(Path(file)) in VOLUMES):
        names, count = tuple(group), 1 if is_volume else FILES_PER_CHUNK
        for first in range(0, len(names), count):
            some = names[first : first + count]
            sizes = tuple(pixels.get(Path(name).parent.name) for name in some)
            yield Chunk(root, some, kind, rule, sizes, side)


def save_part(judged: Sequence[Judged], path: Path) -> None:
    """Write a part: under its name it appears only when it is complete and on the disk."""
    rows = json.dumps([asdict(row) for row, _ in judged])
    kept = {place: hu for place, (_, hu) in enumerate(judged) if hu is not None}
    hu = np.array([*kept.values()], np.int16)
    with replacing(path, sync=True) as partial:
        np.savez(partial, rows=np.array(rows), hu=hu, place=np.array([*kept], int))


def load_rows(path: Path) -> list[Row]:
    """The lines of a part; its slices stay on the disk."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        return [Row(**row) for row in json.loads(str(held["rows"]))]


def load_slices(path: Path) -> dict[int, np.ndarray]:
    """The slices that are kept, int16 `[H W]` in HU, by the number of their line."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        return dict(zip(held["place"].tolist(), held["hu"], strict=True))
