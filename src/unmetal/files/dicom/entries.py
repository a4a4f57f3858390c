"""The DICOM files in a folder, a zip or a single file: by the preamble, never by the name.

Source: DICOM PS3.10 section 7.1: 128 bytes, then `DICM`.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pydicom.uid import DeflatedExplicitVRLittleEndian

from unmetal.errors import InputError, short_error
from unmetal.files import archives
from unmetal.files.formats import is_dicom

Layout = Literal["folder", "zip", "file"]

CHUNK = 2**16


@dataclass(frozen=True)
class Entry:
    """A DICOM file in a folder or archive."""

    name: str
    """Relative to the folder or archive, with `/`."""

    where: str
    """For messages."""

    open: Callable[[], IO[bytes]]
    """Its content, from the start, seekable."""


@contextmanager
def entries(path: Path, only: Iterable[str] | None = None) -> Iterator[tuple[Layout, list[Entry]]]:
    """The DICOM files at `path`, readable while the context is open; nothing is extracted.

    only: of a folder, no other files than these (`Entry.name`); the others are not even opened.
    Raises `InputError` where there are none, or the archive is damaged or encrypted.
    """
    if path.is_dir():
        yield "folder", _required([*_in_folder(path, only)], path)
    elif found := [*_in_file(path)]:
        yield "file", found
    elif zipfile.is_zipfile(path):
        with _archive(path) as archive:
            yield "zip", _required(_in_archive(archive, path), path)
    else:
        yield "file", _required([], path)


def refuse_inflation_bomb(file: IO[bytes], where: str) -> None:
    """Raise InputError for a deflated file that unpacks to more than `MAX_UNPACKED`.

    Deflated files (PS3.5 section A.5) are rare, and pydicom unpacks them whole. `file` is at its
    start before and after.
    """
    head = file.read(4096)
    file.seek(0)
    if str(DeflatedExplicitVRLittleEndian).encode() not in head[132:]:
        return
    if head[132:138] != b"\2\0\0\0UL":
        raise InputError(f"{where}: damaged DICOM: the length of its file meta is missing")
    file.seek(144 + struct.unpack_from("<I", head, 140)[0])
    inflate, total, rest = zlib.decompressobj(-zlib.MAX_WBITS), 0, b""
    while (chunk := rest or file.read(CHUNK)) and not inflate.eof:
        total += len(inflate.decompress(chunk, 16 * CHUNK))
        rest = inflate.unconsumed_tail
        if total > archives.MAX_UNPACKED:
            raise InputError(
                f"{where}: unpacks to more than {archives.MAX_UNPACKED >> 20} MiB: not a CT image"
            )
    file.seek(0)


def _in_folder(path: Path, only: Iterable[str] | None) -> Iterator[Entry]:
    for inside in sorted(path.rglob("*") if only is None else (path / name for name in only)):
        if inside.is_file():
            for entry in _in_file(inside):
                yield replace(entry, name=inside.relative_to(path).as_posix())


def _in_file(path: Path) -> Iterator[Entry]:
    with path.open("rb") as file:
        if is_dicom(file):
            yield Entry(path.name, str(path), lambda: path.open("rb"))


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:
        raise InputError(f"{path}: damaged archive: {short_error(error)}") from error


def _in_archive(archive: zipfile.ZipFile, path: Path) -> list[Entry]:
    """Members are unpacked in memory, one at a time: their names never become paths here."""
    members = sorted(archive.infolist(), key=lambda info: info.filename)
    try:
        dicom = [info for info in members if not info.is_dir() and _member_is_dicom(archive, info)]
    except Exception as error:  # damage shows in as many ways as there are ways to pack
        raise InputError(f"{path}: damaged or encrypted archive: {short_error(error)}") from error
    names = [PurePosixPath(info.filename) for info in dicom]
    if outside := [name for name in names if archives.points_out(name)]:
        raise InputError(f"{path}: holds {outside[0]}, which points out of the archive")
    archives.refuse_bomb(dicom, path)
    return [
        Entry(str(name), f"{path}:{name}", lambda info=info: BytesIO(archive.read(info)))  # type: ignore[misc]
        for name, info in zip(names, dicom, strict=True)
    ]


def _member_is_dicom(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as file:
        return is_dicom(file)


def _required(found: list[Entry], path: Path) -> list[Entry]:
    if found:
        return found
    if path.is_dir() and not any(path.iterdir()):
        raise InputError(f"{path}: an empty folder: give a folder with one CT series")
    raise InputError(f"{path}: no DICOM file in it: give a folder, zip or file of one CT series")
