"""Volumes as the page loads them: NIfTI-1, not compressed, streamed slice by slice from files that
are mapped into memory; and a slice as PNG."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from nibabel.nifti1 import Nifti1Header
from PIL import Image
from scipy import ndimage

from unmetal.display.look import Window
from unmetal.viewer.records import Grid, OpenSeries, Result

SCANNER = 1
"""Code of a transform to the coordinates of the scanner."""

NEAR_MM = 5.0
"""Distance from metal within which a result is to be distrusted."""

NAMES = ("corrected", "difference", "metal", "metal_outline", "near_metal", "error")
"""Of the volumes of a result; `error` only where its method expects one."""

CORRECTED = 1
"""Value in `marks` of metal whose artifact was corrected; objects left alone have 2."""


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
    marks = np.load(result.array("marks"), mmap_mode="r")
    spacing = series.grid.spacing[1:]
    make: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "metal": lambda one: one,
        "metal_outline": outline,
        "near_metal": lambda one: near_metal(one, spacing),
    }
    return SliceSource(series.grid, np.dtype(np.uint8), lambda index: make[name](marks[index]))


def outline(marks: np.ndarray) -> np.ndarray:
    """uint8 `[H W]`: the pixels of each mark that touch one of another, side by side."""
    edge = np.zeros_like(marks)
    for value in np.unique(marks[marks > 0]):
        mask = marks == value
        edge[mask & ~ndimage.binary_erosion(mask)] = value
    return edge


def near_metal(marks: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """uint8 `[H W]`: 1 within `NEAR_MM` of corrected metal, in the plane, and not metal itself."""
    metal = marks == CORRECTED
    if not metal.any():
        return np.zeros_like(marks)
    distance = ndimage.distance_transform_edt(~metal, sampling=spacing)
    return ((distance <= NEAR_MM) & (marks == 0)).astype(np.uint8)


def png(hu: np.ndarray, window: Window) -> bytes:
    """A slice, HU `[H W]`, in grey as a picture of its size."""
    low, high = window.limits
    gray = np.clip((hu.astype(np.float32) - low) * (255 / (high - low)), 0, 255)
    file = BytesIO()
    # Level 1: 512 x 512 in 8 ms; the default takes four times as long for a tenth less.
    Image.fromarray(np.rint(gray).astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()
