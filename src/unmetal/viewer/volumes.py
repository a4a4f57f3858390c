"""Volumes as the page loads them: NIfTI-1, not compressed, streamed slice by slice from files that
are mapped into memory; and a slice as PNG."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from unmetal.display.look import Window
from unmetal.viewer.records import Grid, OpenSeries, Result

SCANNER = 1
"""Code of a transform to the coordinates of the scanner."""

NAMES = ("corrected", "difference", "metal", "metal_outline", "near_metal", "error")
"""Of the volumes of a result; `error` only where its method expects one."""


@dataclass(frozen=True)
class SliceSource:
    """A volume of which every slice can be computed by itself."""

    grid: Grid
    kind: np.dtype
    slice: Callable[[int], np.ndarray]
    """`[H W]` of any real type."""

    @property
    def bytes(self) -> int:
        """Size as a file."""
        return len(nifti_header(self.grid, self.kind)) + int(
            np.prod(self.grid.shape) * self.kind.itemsize
        )


def nifti_header(grid: Grid, kind: np.dtype) -> bytes:
    """The 352 bytes before the numbers."""
    from nibabel.nifti1 import Nifti1Header  # noqa: PLC0415  (0.5 s, which the page need not wait)

    header = Nifti1Header()
    header.set_data_dtype(kind)
    header.set_data_shape(grid.shape[::-1])
    header.set_xyzt_units("mm")
    header.set_sform(grid.matrix(), SCANNER)
    header.set_qform(grid.matrix(), SCANNER)
    header.set_slope_inter(1, 0)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    return bytes(header.binaryblock) + bytes(4)


def nifti(source: SliceSource) -> Iterator[bytes]:
    """The file in pieces."""
    yield nifti_header(source.grid, source.kind)
    for index in range(source.grid.shape[0]):
        yield np.ascontiguousarray(source.slice(index), source.kind).tobytes()


async def nifti_while_read(
    source: SliceSource, read: Callable[[int], object]
) -> AsyncIterator[bytes]:
    """The same of a series that is still being read: `await read(index)` waits for a slice."""
    yield nifti_header(source.grid, source.kind)
    for index in range(source.grid.shape[0]):
        await read(index)  # type: ignore[misc]
        yield np.ascontiguousarray(source.slice(index), source.kind).tobytes()


def original(series: OpenSeries) -> SliceSource:
    """HU as they were read."""
    values = np.load(series.values, mmap_mode="r")
    return SliceSource(series.grid, values.dtype, lambda index: values[index])


def of_result(name: str, series: OpenSeries, result: Result) -> SliceSource:
    """A volume of a result, one of `NAMES`."""
    if name in {"corrected", "error"}:
        values = np.load(result.array(name), mmap_mode="r")
        return SliceSource(series.grid, values.dtype, lambda index: values[index])
    if name == "difference":
        before = np.load(series.values, mmap_mode="r")
        after = np.load(result.array("corrected"), mmap_mode="r")
        kind = np.dtype(np.int16 if result.whole_difference else np.float32)
        return SliceSource(
            series.grid, kind, lambda index: after[index].astype(np.float32) - before[index]
        )
    from unmetal.viewer.marks import near_metal, outline  # noqa: PLC0415  (scipy)

    marks = np.load(result.array("marks"), mmap_mode="r")
    spacing = series.grid.spacing[1:]
    make: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "metal": lambda one: one,
        "metal_outline": outline,
        "near_metal": lambda one: near_metal(one, spacing),
    }
    return SliceSource(series.grid, np.dtype(np.uint8), lambda index: make[name](marks[index]))


def png(hu: np.ndarray, window: Window) -> bytes:
    """A slice, HU `[H W]`, in grey as a picture of its size."""
    low, high = window.limits
    gray = np.clip((hu.astype(np.float32) - low) * (255 / (high - low)), 0, 255)
    file = BytesIO()
    # Level 1: 512 x 512 in 8 ms; the default takes four times as long for a tenth less.
    Image.fromarray(np.rint(gray).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()
