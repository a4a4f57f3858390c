"""NIfTI-1 and NIfTI-2, .nii and .nii.gz, with nibabel for the header.

What is written keeps the header of its source, field by field, and its extensions; only `descrip`
says something else. Source: nifti1.h and nifti2.h (NIfTI Data Format Working Group).
"""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from unmetal.errors import InputError, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.formats import suffix_of
from unmetal.files.grid import (
    Grid,
    require_numbers,
    to_grid,
    to_mask_grid,
    to_volume,
    zero_difference,
)
from unmetal.scan import Volume

__all__ = ["read", "read_labels", "write", "write_mask", "zero_difference"]

KINDS = {348: Nifti1Header, 540: Nifti2Header}
"""Size of the header, which is its first field -> what it is."""

UNITS = {1: 1000.0, 3: 0.001}
"""Code of a unit of length that is not mm (meter, micron) -> mm in it."""

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])

SCANNER = 1
"""Code of a transform to the coordinates of the scanner."""

LEVEL = 3
"""Of gzip. 60 slices of noisy CT, 30 MiB: 17.9 MB in 1.1 s; with level 6, 18.1 MB in 2.9 s."""


def read(path: Path, spacing: float | None) -> Volume:
    """HU and geometry of a 3-D (or 2-D) image of one 16-bit or wider real number per voxel.

    Raises `InputError` for what is damaged or truncated, or has four axes, colour or 8 bits.
    """
    return to_volume(_load(path))


def read_labels(path: Path) -> Grid:
    """A mask, with its geometry: as `read`, but of numbers of any width."""
    return _load(path, labels=True)


def _load(path: Path, *, labels: bool = False) -> Grid:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nibabel, about extensions
            content = _unpacked(path)
            header = _header(content, path, labels=labels)
            return _grid(header, _stored(content, header, path), suffix_of(path))
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:  # nibabel raises whatever a damaged header leads it to
        raise InputError(f"{path}: not a complete NIfTI image: {short_error(error)}") from error


def write(volume: Volume, path: Path, derivation: Derivation) -> None:
    """The same image with other values: header, number type, slope and intercept stay."""
    _save(to_grid(volume, derivation, path), path)


def write_mask(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """1 where `mask`, bool `[slices H W]`, is True, else 0, in 8 bits."""
    _save(to_mask_grid(volume, mask, derivation), path)


def _unpacked(path: Path) -> bytes:
    """The content of a file, unpacked and its checksum compared where it begins as gzip does."""
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged or truncated: {short_error(error)}") from error


def _header(content: bytes, path: Path, *, labels: bool) -> Nifti1Header:
    """The header with its extensions; raises `InputError` for what is no stack of CT slices."""
    size = content[:4]
    kind = KINDS.get(int.from_bytes(size, "little")) or KINDS.get(int.from_bytes(size, "big"))
    if kind is None:
        raise InputError(f"{path}: damaged or truncated: it does not begin as NIfTI does")
    # Unchecked: a check mends what it finds, and the header is to be given back as it came.
    header = kind.from_fileobj(BytesIO(content), check=False)
    if not header["magic"].item().startswith(b"n+"):
        raise InputError(f"{path}: its voxels lie in another file: join both in one .nii first")
    shape = header.get_data_shape()
    if min(shape, default=0) < 1:
        raise InputError(f"{path}: damaged: by its header it has {shape} voxels")
    axes = len(shape) if any(length != 1 for length in shape[3:]) else min(len(shape), 3)
    require_numbers(path, header.get_data_dtype().name, axes, labels=labels)
    return header


def _stored(content: bytes, header: Nifti1Header, path: Path) -> np.ndarray:
    """The numbers `[k j i]`, in native byte order."""
    shape, kind = header.get_data_shape()[:3], header.get_data_dtype()
    start, count = header.get_data_offset(), math.prod(shape)
    expected = start + count * kind.itemsize
    if len(content) < expected:
        raise InputError(f"{path}: truncated: {len(content)} of {expected} bytes are there")
    # The first axis of NIfTI is the fastest: in C order the axes stand in reverse.
    stored = np.frombuffer(content, kind, count, start).reshape(shape[::-1])
    return stored.astype(kind.newbyteorder("="), copy=False)


def _grid(header: Nifti1Header, stored: np.ndarray, suffix: str) -> Grid:
    axes, unit = stored.ndim, UNITS.get(int(header["xyzt_units"]) & 7, 1.0)
    direction, origin = _placement(header)
    slope, intercept = _scale(header)
    return Grid(
        stored=stored,
        spacing=tuple(abs(float(size)) * unit for size in header["pixdim"][1 : axes + 1]),
        origin=tuple((origin * unit)[:axes].tolist()),
        direction=tuple(direction[:axes, :axes].ravel().tolist()),
        slope=slope,
        intercept=intercept,
        note=header["descrip"].item().decode("latin-1"),
        header=header,
        suffix=suffix or ".nii.gz",
    )


def _scale(header: Nifti1Header) -> tuple[float, float]:
    """HU per stored number and HU of 0; a slope of 0 or NaN stands for stored HU."""
    slope, intercept = header.get_slope_inter()
    return (1.0, 0.0) if slope is None else (slope, intercept)


def _placement(header: Nifti1Header) -> tuple[np.ndarray, np.ndarray]:
    """Direction cosines of the image axes, 3 x 3, and the center of the first voxel, LPS.

    As ITK reads them: the sform where it is rigid and to the scanner, or alone; else the qform;
    with neither, the axes of the patient.
    """
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    if sform > 0 and (qform <= 0 or (sform == SCANNER and _is_rigid(header))):
        affine = header.get_sform()
    elif qform > 0:
        affine = header.get_qform()
    else:
        return np.eye(3), np.zeros(3)
    axes = RAS_TO_LPS @ affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    return axes / np.where(lengths > 0, lengths, 1.0), RAS_TO_LPS @ affine[:3, 3]


def _is_rigid(header: Nifti1Header) -> bool:
    """Whether the sform keeps angles, and has the pixel sizes of the header."""
    axes, sizes = header.get_sform()[:3, :3], np.abs(header["pixdim"][1:4])
    return bool(np.allclose(axes.T @ axes, np.diag(sizes**2), atol=1e-3 * sizes.max() ** 2))


def _save(grid: Grid, path: Path) -> None:
    """Write the header, then the numbers; the same image gives the same bytes."""
    header = _header_of(grid)
    kind = header.get_data_dtype()
    with ExitStack() as stack:
        file: Any = stack.enter_context(path.open("wb"))
        if (suffix_of(path) or grid.suffix) == ".nii.gz":
            file = stack.enter_context(gzip.GzipFile("", "wb", LEVEL, file, mtime=0))
        header.write_to(file)
        file.write(bytes(header.get_data_offset() - file.tell()))
        for part in grid.stored:
            file.write(part.astype(kind).tobytes())


def _header_of(grid: Grid) -> Nifti1Header:
    """The header of the source, or a new one, as it is true of the grid's numbers."""
    stored = grid.stored
    header = grid.header.copy() if isinstance(grid.header, Nifti1Header) else _new_header(grid)
    if header.get_data_dtype() != stored.dtype.newbyteorder(header.endianness):
        header.set_data_dtype(stored.dtype)
        header["cal_min"] = header["cal_max"] = 0  # the range to display, of the source
    if _scale(header) != (grid.slope, grid.intercept):
        header.set_slope_inter(grid.slope, grid.intercept)
    header["descrip"] = grid.note.encode("latin-1", "replace")
    return header


def _new_header(grid: Grid) -> Nifti1Header:
    """For a grid that came from no NIfTI file."""
    axes = grid.stored.ndim
    direction, spacing, affine = np.eye(3), np.ones(3), np.eye(4)
    direction[:axes, :axes] = np.reshape(grid.direction, (axes, axes))
    spacing[:axes] = grid.spacing
    affine[:3, :3] = RAS_TO_LPS @ direction * spacing
    affine[:axes, 3] = grid.origin
    affine[:3, 3] = RAS_TO_LPS @ affine[:3, 3]
    header = Nifti1Header()
    header.set_data_dtype(grid.stored.dtype)
    header.set_data_shape(grid.stored.shape[::-1])
    header.set_xyzt_units("mm")
    header.set_qform(affine, SCANNER)
    header.set_sform(affine, SCANNER)
    return header
