"""The parts of a preparation that are not there yet, made by several processes."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from unmetal.engine.parts import Chunk, Part, load_rows, load_slices, save_part
from unmetal.engine.slices import SIZE, Made, Reader
from unmetal.engine.workers import one_by_one, side_by_side

log = logging.getLogger("unmetal")

DIED = "ended the process that read it"


def read_parts(
    todo: Sequence[Chunk], reader: Reader, jobs: int, progress: Callable[[int, int], None]
) -> None:
    """Make the parts that are not there yet, in `jobs` processes, or in this one where it is 0."""
    total = sum(len(chunk.files) for chunk in todo)
    left = [chunk for chunk in todo if not is_whole(reader.path(chunk))]
    done = total - sum(len(chunk.files) for chunk in left)
    if done:
        log.info("%d of %d files were read before", done, total)
    for chunk, made in _made(left, reader, jobs):
        for message in made.said:
            log.warning("%s", message)
        if made.died:
            _each_alone(chunk, reader)
        done += len(chunk.files)
        progress(done, total)


def is_whole(path: Path) -> bool:
    """Whether a part is there and can be read."""
    try:
        load_rows(path)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return False
    return True


def _made(left: list[Chunk], reader: Reader, jobs: int) -> Iterator[tuple[Chunk, Made]]:
    if jobs:
        return side_by_side(left, reader, min(jobs, len(left) or 1), Made(died=True))
    return one_by_one(left, reader)


def _each_alone(chunk: Chunk, reader: Reader) -> None:
    """The part of a chunk in which a file ends its process: the part of each file, joined."""
    for single, made in side_by_side([*chunk.split()], reader, 1, Made(died=True)):
        if made.died:
            (file,) = single.files
            log.warning("%s: %s", chunk.root / file, DIED)
            nothing = np.empty((0, SIZE, SIZE), np.int16)
            row = reader.unread(chunk, file, DIED)
            save_part(Part([row], nothing, np.empty(0, int)), reader.path(single))
    joined = Part([], np.empty((0, SIZE, SIZE), np.int16), np.empty(0, int))
    for path in map(reader.path, chunk.split()):
        slices = load_slices(path)
        places = np.array([len(joined.rows) + place for place in slices], int)
        hu = np.array([*slices.values()], np.int16).reshape(-1, SIZE, SIZE)
        joined = Part(
            joined.rows + load_rows(path),
            np.concatenate([joined.hu, hu]),
            np.concatenate([joined.place, places]),
        )
    save_part(joined, reader.path(chunk))
