"""Small files that would become huge in memory are refused before they do."""

from __future__ import annotations

import struct
import zlib
from typing import IO

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import DeflatedExplicitVRLittleEndian

from unmetal.errors import InputError

LARGEST = 2**29
"""Bytes that a deflated file may become."""

PIXELS = 2**24
"""Pixels of the largest image: 4096 x 4096; the largest CT matrix in use has 2048 x 2048."""

CHUNK = 2**16


def require_modest(file: IO[bytes], where: str) -> None:
    """Raise InputError for a deflated file that unpacks to more than `LARGEST`; back at the start.

    Deflated files are rare, and pydicom unpacks them whole (PS3.5 section A.5).
    """
    head = file.read(4096)
    file.seek(0)
    if str(DeflatedExplicitVRLittleEndian).encode() not in head[132:]:
        return
    if head[132:138] != b"\2\0\0\0UL":
        raise InputError(f"{where}: damaged DICOM: the length of its file meta is missing")
    file.seek(144 + struct.unpack_from("<I", head, 140)[0])
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    rest = b""
    while (chunk := rest or file.read(CHUNK)) and not inflate.eof:
        total += len(inflate.decompress(chunk, 16 * CHUNK))
        rest = inflate.unconsumed_tail
        if total > LARGEST:
            raise InputError(f"{where}: unpacks to more than {LARGEST >> 20} MiB: not a CT image")
    file.seek(0)


def require_matrix(dataset: Dataset, where: str) -> None:
    """Raise InputError for more than `PIXELS`, by the header or by the compressed image itself."""
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if rows * columns > PIXELS:
        raise InputError(f"{where}: {columns} x {rows} pixels: larger than any CT image")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_encapsulated:
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1), b"")
    if (size := encoded_size(frame)) not in {None, (rows, columns)}:
        assert size is not None
        raise InputError(
            f"{where}: pixels cannot be decoded: {size[1]} x {size[0]} of them, by the header "
            f"{columns} x {rows}"
        )


def encoded_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a compressed image states; None where it does not say.

    JPEG and JPEG-LS: the frame header SOFn (ITU-T T.81 B.2.2, T.87 C.2.2); JPEG 2000: SIZ
    (ITU-T T.800 A.5.1).
    """
    place = frame.find(b"\xff\x4f\xff\x51", 0, 128)
    if place >= 0 and len(frame) >= place + 24:
        columns, rows, left, top = struct.unpack_from(">4I", frame, place + 8)
        return rows - top, columns - left
    place = 2 if frame[:2] == b"\xff\xd8" else len(frame)
    while place + 9 <= len(frame) and frame[place] == 0xFF:
        marker, length = frame[place + 1], struct.unpack_from(">H", frame, place + 2)[0]
        if marker in SOF:
            rows, columns = struct.unpack_from(">2H", frame, place + 5)
            return rows, columns
        place += 2 + length
    return None


SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xF7}
"""Markers of frame headers."""
