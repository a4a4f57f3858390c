"""Finding the series in a file, zip or folder, and reading them. Runs in a process of its own.

Every series is announced before the first one is read to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from unmetal.errors import InputError
from unmetal.files.dicom.inventory import Aside, find_stacks
from unmetal.files.dicom.reading import stacked_series, tolerant
from unmetal.files.formats import detect_format, suffix_of
from unmetal.viewer.filling import TAGS, fill_dicom, fill_volume, without_path
from unmetal.viewer.records import LeftOut, Listed, Message, Source, new_id
from unmetal.viewer.unpacking import is_archive, unpack

OPENED = {".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".npy", ".png"}
"""Suffixes of what is opened besides DICOM where a folder holds it."""

MOST_LEFT_OUT = 50
"""Lines about what was left out: a folder can hold thousands of other files."""


def open_path(report: Callable[[Message], None], path: Path, folder: Path) -> int:
    """Read every series at a path (file, zip, folder) into `folder`; returns how many there were.

    Each is announced before any is read to its end. Raises `InputError` where there is none.
    """
    where = unpack(path, folder / f"unpacked-{new_id()}") if is_archive(path) else path
    left_out: list[LeftOut] = []
    started: list[Iterator[Message]] = []
    with tolerant():
        for source, reading in _readings(where, folder, left_out):
            try:
                announced = next(reading)
            except InputError as error:
                left_out.append(LeftOut(_named(source), without_path(error, source.path)))
                continue
            report(announced)
            started.append(reading)
        if not started:
            why = left_out[0].why if left_out else "no CT series in it: give DICOM, NIfTI or .npy"
            raise InputError(f"{path.name}: {why}")
        for one in left_out[:MOST_LEFT_OUT]:
            report(one)
        report(Listed())
        for reading in started:
            for message in reading:
                report(message)
    return len(started)


def _readings(
    path: Path, folder: Path, left_out: list[LeftOut]
) -> Iterator[tuple[Source, Iterator[Message]]]:
    """The series at a path, each with what reads it; adds to `left_out` what is none."""
    if not path.is_dir():
        source = Source(path)
        if detect_format(path) == "dicom":
            with stacked_series(path) as (_, stacked, _aside):
                yield source, fill_dicom(source, folder, stacked.headers)
        else:
            yield source, fill_volume(source, folder)
        return
    found = find_stacks(path, TAGS)
    left_out += _by_reason(found.aside)
    for _, headers in found.stacks:
        source = Source(path, tuple(sorted(header.entry.name for header in headers)))
        yield source, fill_dicom(source, folder, headers)
    for file in found.others:
        if suffix_of(file) in OPENED:
            yield Source(file), fill_volume(Source(file), folder)


def _by_reason(objects: tuple[Aside, ...]) -> Iterator[LeftOut]:
    """A line for all objects with one reason."""
    by_reason: dict[str, list[str]] = {}
    for one in objects:
        by_reason.setdefault(one.reason, []).append(one.file)
    for reason, names in by_reason.items():
        what = names[0] if len(names) == 1 else f"{len(names)} objects, first {names[0]}"
        yield LeftOut(what, reason)


def _named(source: Source) -> str:
    return source.path.name if source.only is None else f"{len(source.only)} images"
