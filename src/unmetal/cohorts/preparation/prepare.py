"""A cohort from an archive: find, read, judge, resize, split by patient, write.

Everything is made in a hidden folder beside the output, which then takes the output's name in one
step. A preparation that was killed leaves that folder; the same command goes on with it.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unmetal.cohorts.preparation.assemble import Assembled, assemble, write_cohort
from unmetal.cohorts.preparation.layouts import Kind, find_images, pixel_sizes
from unmetal.cohorts.preparation.parts import (
    Chunk,
    Judged,
    load_rows,
    load_slices,
    make_chunks,
    save_part,
)
from unmetal.cohorts.preparation.pseudonyms import Key
from unmetal.cohorts.preparation.reader import SIZE, ChunkResult, Reader
from unmetal.cohorts.preparation.request import Request
from unmetal.cohorts.preparation.selection import (
    Rule,
    by_maximum,
    only_affected,
    only_clean,
    without_metal,
)
from unmetal.cohorts.prepared import is_prepared
from unmetal.errors import InputError
from unmetal.files.staging import exclusive_lock, refuse_overlap
from unmetal.software import software
from unmetal.workers import one_by_one, side_by_side

log = logging.getLogger("unmetal")

DIED = "ended the process that read it"

RULES: dict[Kind, Rule] = {
    "deeplesion": without_metal,
    "spineweb": by_maximum,
    "cbct": only_affected,
    "folder": by_maximum,
}


@dataclass(frozen=True)
class Work:
    """The files to read, and those that cannot be read."""

    chunks: tuple[Chunk, ...]
    unread: tuple[tuple[str, str, str], ...]
    """Archive, file and reason."""
    others: int
    """Files that are no images by their names."""


def prepare(
    request: Request,
    output: Path,
    jobs: int,
    key_file: Path | None = None,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Assembled:
    """Prepare a cohort, or go on with it.

    jobs: processes; 0 is this one, which a file that crashes its decoder then ends.
    key_file: where to keep what tells whose the slices are; nowhere if None.
    Raises `InputError` where nothing can be prepared; what is broken in the archive is listed.
    """
    from unmetal.cohorts.preparation.contact_sheet import NAME, contact_sheet  # noqa: PLC0415

    if jobs < 0:
        raise InputError(f"--jobs {jobs}: give 1 or more")
    scratch = output.absolute().parent / f".unmetal-{output.name}"
    _check(request, output, key_file, scratch, force=force)
    work = find_work(request)
    kept = Key.load(key_file) if key_file is not None and key_file.exists() else None
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        with exclusive_lock(scratch):
            key = kept or _key(scratch)
            reader = Reader(key, request, scratch)
            read_parts(work.chunks, reader, jobs, progress)
            made = assemble(
                [reader.path(chunk) for chunk in work.chunks],
                [reader.unread(*one) for one in work.unread],
                request.seed,
                request.withhold,
            )
            if not made.used:
                shutil.rmtree(scratch)
                raise InputError(f"{request.source}: {_nothing(made)}")
            stage = _staged(scratch)
            about = describe(request) | {"files_that_are_no_images": work.others}
            contact_sheet(write_cohort(made, about, stage)).savefig(stage / NAME)
            if key_file is not None:
                key.save(key_file, _names(work, key))
            _publish(stage, output, scratch)
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror or error}") from error
    return made


def find_work(request: Request) -> Work:
    """Find all files; raises `InputError` where there is none."""
    found = find_images(request.source, request.kind, request.listed, request.stride)
    pixels = pixel_sizes(request.source) if request.kind == "deeplesion" else {}
    rule = RULES[request.kind]
    todo = [*make_chunks(request.source, found.files, request.kind, rule, pixels)]
    unread = [("source", one.file, one.reason) for one in found.unread]
    others = found.others
    if not found.files:
        raise InputError(
            f"{request.source}: nothing in it that --kind {request.kind} reads "
            f"({len(unread)} broken, {others} other files): give another folder, or --kind"
        )
    if request.clean is not None:
        more = find_images(request.clean, "folder")
        todo += make_chunks(request.clean, more.files, "folder", only_clean, {}, "clean")
        unread += [("clean", one.file, one.reason) for one in more.unread]
        others += more.others
    return Work(tuple(todo), tuple(unread), others)


def describe(request: Request) -> dict[str, Any]:
    """How a cohort was made, for cohort.json; holds no names of the archive."""
    return {
        "made_by": software(),
        "kind": request.kind,
        "rule": RULES[request.kind].__name__,
        **asdict(request.limits),
        "clean_from": "another archive" if request.clean else "the same archive",
        "slices_chosen": "by a list" if request.listed else "all",
        "every": request.stride,
        "size": SIZE,
        "units": "HU, int16, not below -1000",
        "seed": request.seed,
        "withhold": request.withhold,
        "patients_by": "header, else folder" if request.patients == "header" else "folder",
        "spacing_where_none_is_stated": request.spacing or "384 mm / matrix",
    }


def read_parts(
    todo: Sequence[Chunk], reader: Reader, jobs: int, progress: Callable[[int, int], None]
) -> None:
    """Make the parts that are not there yet, in `jobs` processes, or in this one where it is 0."""
    total = sum(len(chunk.files) for chunk in todo)
    left = [chunk for chunk in todo if not is_complete_part(reader.path(chunk))]
    done = total - sum(len(chunk.files) for chunk in left)
    if done:
        log.info("%d of %d files were read before", done, total)
    jobs, died = min(jobs, len(left)), ChunkResult(died=True)
    results = side_by_side(left, reader, jobs, died) if jobs else one_by_one(left, reader)
    for chunk, made in results:
        for message in made.said:
            log.warning("%s", message)
        if made.died:
            _read_separately(chunk, reader)
        done += len(chunk.files)
        progress(done, total)


def is_complete_part(path: Path) -> bool:
    """Whether a part is there and can be read."""
    try:
        load_rows(path)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return False
    return True


def _check(
    request: Request, output: Path, key_file: Path | None, scratch: Path, *, force: bool
) -> None:
    """Raise `InputError` where writing would overwrite something, or put the key where the cohort
    or the archive lies."""
    archives = [one for one in (request.source, request.clean) if one is not None]
    for archive in archives:
        refuse_overlap(output, archive)
        if key_file is not None:
            refuse_overlap(key_file, archive)
    if key_file is not None:
        refuse_overlap(key_file, output)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        if not is_prepared(output):
            raise InputError(f"{output}: holds other things: give another place")
        if not force:
            shutil.rmtree(scratch, ignore_errors=True)
            raise InputError(f"{output}: is prepared already: --force prepares it anew")


def _key(scratch: Path) -> Key:
    """The key of the interrupted preparation; else a new one, stored so that a next run goes on."""
    place = scratch / "key.json"
    if place.exists():
        return Key.load(place)
    key = Key.new()
    key.save(place)
    return key


def _staged(scratch: Path) -> Path:
    """An empty folder for the output to be."""
    stage = scratch / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    return stage


def _names(work: Work, key: Key) -> dict[str, str]:
    """Name -> file, for the owner of the archive."""
    read = [(chunk.side, file, chunk.root) for chunk in work.chunks for file in chunk.files]
    names = {key.name("source", side, file): str(root / file) for side, file, root in read}
    return names | {key.name("source", side, file): file for side, file, _ in work.unread}


def _nothing(made: Assembled) -> str:
    """Why no slice is used, as one line."""
    reasons = made.counted()["not used"]
    listed = "; ".join(f"{count} x {reason}" for reason, count in reasons.items())
    return f"no slice in it is affected or clean ({listed}): see `unmetal info` on one of the files"


def _publish(stage: Path, output: Path, scratch: Path) -> None:
    """The finished folder takes the output's name; what was there before goes first."""
    if output.exists():
        output.replace(scratch / "before")
    stage.replace(output)
    shutil.rmtree(scratch)


def _read_separately(chunk: Chunk, reader: Reader) -> None:
    """Make the part of a chunk that killed its process: read each file in a process of its own, and
    join the parts."""
    for single, made in side_by_side([*chunk.split()], reader, 1, ChunkResult(died=True)):
        if made.died:
            (file,) = single.files
            log.warning("%s: %s", chunk.root / file, DIED)
            save_part([(reader.unread(chunk.side, file, DIED), None)], reader.path(single))
    joined: list[Judged] = []
    for path in map(reader.path, chunk.split()):
        slices = load_slices(path)
        joined += [(row, slices.get(place)) for place, row in enumerate(load_rows(path))]
    save_part(joined, reader.path(chunk))
