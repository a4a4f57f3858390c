"""Finding the series in files and folders, and reading them, slice by slice, into .npy files.

This runs in a process of its own (`task_process`). A series is announced with its first picture, as
soon as its headers are read; its other slices follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unmetal import files
from unmetal.errors import InputError
from unmetal.files.dicom.entries import Entry
from unmetal.files.dicom.inventory import Aside, find_series
from unmetal.files.dicom.pixels import slope_intercept
from unmetal.files.dicom.provenance import made_by_unmetal
from unmetal.files.dicom.reading import (
    pixel_spacing,
    read_slice,
    stacked_series,
    thickness,
)
from unmetal.files.dicom.stack import Stack
from unmetal.files.formats import detect_format, suffix_of
from unmetal.files.hounsfield import to_hu
from unmetal.files.slice_planes import SlicePlanes, planes_of
from unmetal.scan import Volume
from unmetal.viewer.records import (
    LPS_TO_RAS,
    Affine,
    Announced,
    Broken,
    Grid,
    LeftOut,
    Listed,
    Message,
    OpenSeries,
    SliceRead,
    Source,
    new_id,
)
from unmetal.viewer.unpacking import is_archive, unpack

OPENED = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".npy", ".png")
"""Suffixes of what is opened besides DICOM where a folder holds it."""

MOST_LEFT_OUT = 50
"""Lines about what was left out: a folder can hold thousands of other files."""


def open_path(report: Callable[[Message], None], path: Path, folder: Path) -> int:
    """Read every series at a path (file, zip, folder) into `folder`; returns how many there were.

    Each is announced before any is read to its end. Raises `InputError` where there is none.
    """
    if is_archive(path):
        path = unpack(path, folder / f"unpacked-{new_id()}")
    left_out: list[LeftOut] = []
    started: list[Iterator[Message]] = []
    for source in _sources(path, left_out):
        reading = _read(source, folder)
        try:
            announced = next(reading)
        except InputError as error:
            left_out.append(LeftOut(_named(source), without_path(error, source.path)))
            continue
        report(announced)
        started.append(reading)
    for one in left_out[:MOST_LEFT_OUT]:
        report(one)
    if not started:
        why = left_out[0].why if left_out else "no CT series in it: give DICOM, NIfTI or .npy"
        raise InputError(f"{path.name}: {why}")
    report(Listed())
    for reading in started:
        for message in reading:
            report(message)
    return len(started)


def without_path(error: Exception, path: Path) -> str:
    """The message of an error about a file, without the folders that it lies in."""
    return str(error).replace(f"{path}: ", "", 1).replace(f"{path.parent}/", "")


def _sources(path: Path, left_out: list[LeftOut]) -> Iterator[Source]:
    """The series at a path; adds to `left_out` what is none."""
    if not path.is_dir():
        detect_format(path)
        yield Source(path)
        return
    contents = find_series(path)
    left_out += _aside(contents.aside)
    for one in contents.series:
        yield Source(path, one.files)
    for file in sorted(path.rglob("*")):
        if file.name.lower().endswith(OPENED) and file.is_file():
            yield Source(file)


def _aside(objects: tuple[Aside, ...]) -> Iterator[LeftOut]:
    """A line for all objects with one reason."""
    by_reason: dict[str, list[str]] = {}
    for one in objects:
        by_reason.setdefault(one.reason, []).append(one.file)
    for reason, names in by_reason.items():
        what = names[0] if len(names) == 1 else f"{len(names)} objects, first {names[0]}"
        yield LeftOut(what, reason)


def _named(source: Source) -> str:
    return source.path.name if source.only is None else f"{len(source.only)} images"


def _read(source: Source, folder: Path) -> Iterator[Message]:
    """Announce a series, then read it."""
    if source.only is not None or detect_format(source.path) == "dicom":
        return _read_dicom(source, folder)
    return _read_volume(source, folder)


def _read_dicom(source: Source, folder: Path) -> Iterator[Message]:
    """Yields `Announced` with the middle slice in place, then `SliceRead` for every slice."""
    id = new_id()
    try:
        with stacked_series(source.path, source.only) as (_, stacked, aside):
            series = _dicom_series(id, source, folder, stacked, aside)
            kinds = (np.int16, np.float32) if _is_whole(stacked) else (np.float32,)
            try:
                yield from _fill(series, kinds[0], stacked)
            except OverflowError:
                # Headers allow 16 bits and an intercept; next to no series uses all of that.
                wide = replace(series, values=folder / f"{id}-wide.npy")
                yield from _fill(wide, kinds[-1], stacked)
    except InputError as error:
        if not (folder / f"{id}.npy").exists():
            raise
        yield Broken(id, without_path(error, source.path))


def _fill(series: OpenSeries, kind: type[np.generic], stacked: Stack) -> Iterator[Message]:
    """Read the middle slice, announce the series, read the others.

    Raises `OverflowError` for the first slice with values that `kind` does not hold.
    """
    entries = [header.entry for header in stacked.headers]
    middle = len(entries) // 2
    first = _decoded(entries[middle], series, kind)
    values = np.lib.format.open_memmap(series.values, "w+", kind, series.grid.shape)
    values[middle] = first
    yield Announced(series)
    yield SliceRead(series.id, middle)
    for index, entry in enumerate(entries):
        if index != middle:
            values[index] = _decoded(entry, series, kind)
            yield SliceRead(series.id, index)


def _decoded(entry: Entry, series: OpenSeries, kind: type[np.generic]) -> np.ndarray:
    """HU `[H W]` of an image."""
    one = read_slice(entry)
    if one.stored.shape != series.grid.shape[1:]:
        raise InputError(f"{one.name}: its pixels are not of the size in its header")
    hu = to_hu(one.stored, one.slope, one.intercept)
    if kind == np.int16 and np.abs(hu).max() >= 2**15:
        raise OverflowError
    return hu.astype(kind)


def _is_whole(stacked: Stack) -> bool:
    """Whether the headers make whole HU of every stored number."""
    scales = (slope_intercept(one.dataset, one.entry.where) for one in stacked.headers)
    return all(number.is_integer() for scale in scales for number in scale)


def _dicom_series(
    id: str, source: Source, folder: Path, stacked: Stack, aside: list[str]
) -> OpenSeries:
    headers = [header.dataset for header in stacked.headers]
    first = headers[0]
    row, column, assumed = pixel_spacing(first, None)
    apart = stacked.distance or thickness(first)
    spacing = (apart, row, column)
    stated = ("ImagePositionPatient", "ImageOrientationPatient")
    planes = None
    if all(header.get(keyword) for header in headers for keyword in stated):
        positions = np.array([header.ImagePositionPatient for header in headers], float)
        along, down = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
        planes = SlicePlanes(positions, along, down, spacing)
    shape = (len(headers), int(first.Rows), int(first.Columns))
    return OpenSeries(
        id=id,
        source=source,
        grid=_grid(shape, spacing, planes, spacing_known=not assumed),
        values=folder / f"{id}.npy",
        format="dicom",
        suffix="",
        description=str(first.get("SeriesDescription") or ""),
        window=_window(first),
        warnings=(*aside, *stacked.warnings, *assumed),
        made_by_unmetal=any(map(made_by_unmetal, headers)),
    )


def _window(header: Any) -> tuple[float, float] | None:
    """Width and level, the first of several; None where the header states none."""
    numbers = []
    for keyword in ("WindowWidth", "WindowCenter"):
        value = header.get(keyword)
        try:
            numbers.append(float(value if isinstance(value, (int, float, str)) else value[0]))
        except (TypeError, ValueError, IndexError):
            return None
    return (numbers[0], numbers[1]) if 0 < numbers[0] < 1e6 else None


def _read_volume(source: Source, folder: Path) -> Iterator[Message]:
    """As `_read_dicom`, of a file that is read in one go."""
    volume = files.read(source.path, log_warnings=False)
    id, values = new_id(), volume.hu
    whole = (np.rint(values) == values).all() and np.abs(values).max() < 2**15
    np.save(folder / f"{id}.npy", values.astype(np.int16) if whole else values)
    yield Announced(
        OpenSeries(
            id=id,
            source=source,
            grid=grid_of(volume),
            values=folder / f"{id}.npy",
            format=volume.source.format,
            suffix=suffix_of(source.path),
            warnings=tuple(volume.meta["warnings"]),
            made_by_unmetal=bool(volume.meta.get("made_by_unmetal")),
        )
    )
    for index in range(len(values)):
        yield SliceRead(id, index)


def grid_of(volume: Volume) -> Grid:
    """The grid of a volume in RAS+."""
    shape = volume.hu.shape
    known = volume.spacing_known
    return _grid(shape, volume.spacing, planes_of(volume), spacing_known=known)


def _grid(
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    planes: SlicePlanes | None,
    *,
    spacing_known: bool,
) -> Grid:
    """Steps between slices are the mean of all: a tilted gantry shears the grid, and a gap in the
    series, which its warnings tell, is spread."""
    affine = np.diag([*spacing[::-1], 1.0])
    if planes is not None:
        last = len(planes.positions) - 1
        across = planes.normal * spacing[0]
        if last > 0:
            across = (planes.positions[last] - planes.positions[0]) / last
        affine[:3, 0] = planes.row * spacing[2]
        affine[:3, 1] = planes.column * spacing[1]
        affine[:3, 2] = across
        affine[:3, 3] = planes.positions[0]
    ras: Affine = tuple(tuple(map(float, line)) for line in LPS_TO_RAS @ affine)
    return Grid(shape, spacing, ras, spacing_known, planes is not None)  # type: ignore[arg-type]
