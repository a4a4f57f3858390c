"""Writing a derived CT series in the layout of its source; the header of a difference."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from unmetal.errors import InputError, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.dicom.derived_header import derived_header, instance_keys
from unmetal.files.dicom.entries import Layout
from unmetal.files.dicom.pixels import encode_file
from unmetal.files.dicom.reading import Series, Slice, tolerant
from unmetal.files.formats import suffix_of
from unmetal.files.hounsfield import to_stored
from unmetal.scan import Volume

log = logging.getLogger("unmetal")

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of every member of an archive: the same input gives the same bytes."""

WINDOW_HU = (0, 400)
"""Centre and width that viewers show at first: changes of 200 HU either way."""

ABOUT_HU = (
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenterWidthExplanation",
)
"""Elements that describe HU, and are not true of differences."""


def write(volume: Volume, path: Path, derivation: Derivation) -> None:
    """A .zip, a .dcm or a folder, by the name of the output; without a suffix one image of a single
    file stays a file.

    Raises `InputError` for a volume from no DICOM series, and for several slices in one file.
    """
    series = series_of(volume, path)
    clipped = 0
    with tolerant(), _sink(path, _layout(path, series)) as put:
        with _copying("its headers"):
            names = instance_keys([source.header for source in series.slices])
        for hu, source, instance in zip(volume.hu, series.slices, names, strict=True):
            content, over = _file(hu, source, derivation, instance)
            put(source.name, content)
            clipped += over
    if clipped:
        log.warning("%d values do not fit the bits stored and were clipped", clipped)


def series_of(volume: Volume, path: Path) -> Series:
    """The DICOM series that a volume came from; raises InputError where it came from none."""
    if not isinstance(volume.source, Series):
        raise InputError(
            f"{path.name}: DICOM can only be derived from a DICOM series: give .nii.gz"
        )
    return volume.source


def zero_difference(series: Series) -> Series:
    """The source record of a difference of 0 HU: signed, with the slope of the source and no
    intercept, so that source + difference is the result as stored.

    Raises `InputError` for a header that cannot be copied.
    """
    with tolerant():
        return Series(tuple(map(_zero_slice, series.slices)), series.layout)


@contextmanager
def _sink(path: Path, layout: Layout) -> Iterator[Callable[[str, bytes], object]]:
    """A function that writes one file: its name and its content."""
    if layout == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            yield lambda name, content: archive.writestr(
                zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED
            )
    elif layout == "file":
        yield lambda name, content: path.write_bytes(content)
    else:
        yield lambda name, content: _below(path / name).write_bytes(content)


def _below(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _layout(path: Path, series: Series) -> Layout:
    wanted: dict[str, Layout] = {".zip": "zip", ".dcm": "file"}
    layout = wanted.get(suffix_of(path), series.layout)
    if layout == "zip" and not suffix_of(path):
        log.info("%s: written as a folder; for an archive give a name that ends in .zip", path.name)
        return "folder"
    if layout == "file" and (count := len(series.slices)) > 1:
        raise InputError(f"{path.name}: {count} slices need a folder or a .zip as output")
    return layout


@contextmanager
def _copying(what: str) -> Iterator[None]:
    """Turn any error into `InputError`: pydicom raises many kinds where a value makes no sense."""
    try:
        yield
    except Exception as error:
        raise InputError(f"{what} cannot be copied: {short_error(error)}") from error


def _file(
    hu: np.ndarray, source: Slice, derivation: Derivation, instance: str
) -> tuple[bytes, int]:
    """The DICOM file of one slice of HU, float32 `[H W]`, and how many values were clipped."""
    stored, clipped = to_stored(hu, source.stored, *source.scale())
    with _copying(f"{source.name}: its header"):
        header = derived_header(source.header, derivation, instance)
        return encode_file(header, stored, derivation.compress), clipped


def _zero_slice(source: Slice) -> Slice:
    bits = int(source.header.BitsAllocated)
    stored = np.zeros(source.stored.shape, np.dtype(f"i{bits // 8}"))
    with _copying(f"{source.name}: its header"):
        header = _difference_header(source, bits)
    return replace(source, header=header, stored=stored, intercept=0.0)


def _difference_header(source: Slice, bits: int) -> Dataset:
    header = deepcopy(source.header)
    for keyword in ABOUT_HU:
        header.pop(keyword, None)
    header.PixelRepresentation = 1
    header.BitsStored, header.HighBit = bits, bits - 1
    header.RescaleIntercept = 0
    header.WindowCenter, header.WindowWidth = WINDOW_HU
    return header
