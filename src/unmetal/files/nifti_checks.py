"""Two traps of ITK's NIfTI reader: truncated files, and two files of one name."""

from __future__ import annotations

import gzip
import math
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from unmetal.errors import InputError, short_error

CHUNK = 1 << 22


def require_complete(path: Path) -> None:
    """Raise InputError unless the file holds all the bytes that its header announces.

    ITK fills what is missing with zeros and says nothing. Compressed files are read to their end,
    so that their checksum is looked at too.
    """
    compressed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if compressed else path.open("rb") as file:
            expected, found = _announced(file), file.tell()  # type: ignore[arg-type]
            while chunk := file.read(CHUNK):
                found += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise InputError(f"{path}: damaged or truncated: {short_error(error)}") from error
    if found < expected:
        raise InputError(f"{path}: truncated: {found} of {expected} bytes are there")


def _announced(file: BinaryIO) -> int:
    """Bytes of header and voxels, from the NIfTI-1 or NIfTI-2 header; 0 where it is neither.

    Source: nifti1.h and nifti2.h (NIfTI Data Format Working Group).
    """
    head = file.read(540)
    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0]
        if size == 348:
            dim = struct.unpack_from(f"{order}8h", head, 40)
            bits, start = struct.unpack_from(f"{order}h", head, 72)[0], 108
            offset = int(struct.unpack_from(f"{order}f", head, start)[0])
        elif size == 540:
            dim = struct.unpack_from(f"{order}8q", head, 16)
            bits, start = struct.unpack_from(f"{order}h", head, 14)[0], 168
            offset = struct.unpack_from(f"{order}q", head, start)[0]
        else:
            continue
        return offset + math.prod(dim[1 : 1 + dim[0]]) * bits // 8
    return 0


@contextmanager
def alone(path: Path) -> Iterator[Path]:
    """A path to the same file that has no neighbour of the same stem.

    Beside `a.nii`, ITK takes the header of `a.nii.gz` but the voxels of `a.nii` (nifti_io looks
    for the voxels by name), without a word.
    """
    bare = path.name.removesuffix(".gz").removesuffix(".nii")
    others = [path.with_name(bare + suffix) for suffix in (".nii", ".img", ".img.gz", ".nii.gz")]
    if ".nii" not in path.name or not any(p.exists() for p in others if p.name != path.name):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, path.name)
        link.symlink_to(path.absolute())
        yield link
