"""The slices of a series read into an .npy file one after the other, the middle one first.

A series is announced with that one slice in place: it is the first picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unmetal import files
from unmetal.errors import InputError, short_error
from unmetal.files.dicom.entries import Entry
from unmetal.files.dicom.pixels import slope_intercept
from unmetal.files.dicom.provenance import made_by_unmetal
from unmetal.files.dicom.reading import pixel_spacing, read_slice, thickness
from unmetal.files.dicom.stack import Header, stack
from unmetal.files.formats import suffix_of
from unmetal.files.hounsfield import to_hu
from unmetal.files.slice_planes import SlicePlanes
from unmetal.viewer.placement import grid_from, grid_of
from unmetal.viewer.records import (
    Announced,
    Broken,
    Message,
    OpenSeries,
    SliceRead,
    Source,
    new_id,
)

TAGS = (
    "BitsAllocated",
    "ImagePositionPatient",
    "InstanceNumber",
    "ModalityLUTSequence",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "SeriesDescription",
    "SpacingBetweenSlices",
    "WindowCenter",
    "WindowWidth",
)
"""What is asked of headers here, beside `inventory.TAGS`."""


def fill_dicom(source: Source, folder: Path, headers: list[Header]) -> Iterator[Message]:
    """`Announced`, then `SliceRead` for every slice; `Broken` where one cannot be read later.

    headers: of a series, in any order, with `TAGS`.
    Raises `InputError` before anything is announced.
    """
    announced: OpenSeries | None = None
    try:
        try:
            for message in _fill_as_narrow_as_fits(source, folder, headers):
                if isinstance(message, Announced):
                    announced = message.series
                yield message
        except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
            # pydicom turns text into numbers only when they are asked for.
            raise InputError(f"a header value makes no sense: {short_error(error)}") from error
    except InputError as error:
        if announced is None:
            raise
        yield Broken(announced.id, without_path(error, source.path))


def fill_volume(source: Source, folder: Path) -> Iterator[Message]:
    """The same of a file of another format, which is read in one go."""
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


def without_path(error: Exception, path: Path) -> str:
    """The message of an error about a file, without the folders that it lies in."""
    return str(error).replace(f"{path}: ", "", 1).replace(f"{path.parent}/", "")


def _fill_as_narrow_as_fits(
    source: Source, folder: Path, headers: list[Header]
) -> Iterator[Message]:
    """As int16 where values are whole and fit, else as float32."""
    series, ordered = _described(source, folder, headers)
    if _is_whole(ordered):
        try:
            yield from _fill(series, np.int16, ordered)
            return
        except OverflowError:
            # Headers allow 16 bits and an intercept; next to no series uses all of that. This one
            # is announced once more, with another file.
            series = replace(series, values=folder / f"{series.id}-wide.npy")
    yield from _fill(series, np.float32, ordered)


def _fill(series: OpenSeries, kind: type[np.generic], ordered: list[Header]) -> Iterator[Message]:
    """Read the middle slice, announce the series, read the others.

    Raises `OverflowError` for the first slice with values that `kind` does not hold.
    """
    entries = [header.entry for header in ordered]
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


def _is_whole(ordered: list[Header]) -> bool:
    """Whether the headers make whole HU of every stored number."""
    scales = (slope_intercept(one.dataset, one.entry.where) for one in ordered)
    return all(number.is_integer() for scale in scales for number in scale)


def _described(
    source: Source, folder: Path, found: list[Header]
) -> tuple[OpenSeries, list[Header]]:
    """The series by its headers, and these in order."""
    stacked = stack(found, source.path)
    headers = [header.dataset for header in stacked.headers]
    first, id = headers[0], new_id()
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
    series = OpenSeries(
        id=id,
        source=source,
        grid=grid_from(shape, spacing, planes, spacing_known=not assumed),
        values=folder / f"{id}.npy",
        format="dicom",
        suffix="",
        description=str(first.get("SeriesDescription") or ""),
        window=_window(first),
        warnings=(*stacked.warnings, *assumed),
        made_by_unmetal=any(map(made_by_unmetal, headers)),
    )
    return series, stacked.headers


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
