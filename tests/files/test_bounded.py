"""Small files that claim, or become, something huge are refused in one line and at once."""

from __future__ import annotations

import contextlib
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from ct_files import SIZE, ct_image, hashes, save
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from unmetal.errors import InputError
from unmetal.files import archives, read
from unmetal.files.dicom.pixels import encoded_size

Make = Callable[..., Path]

HEAD = bytes(128) + b"DICM"


def refused(path: Path) -> str:
    """The line with which `path` is refused, within seconds and without a trace on the disk."""
    before, begun = hashes(path.parent), time.process_time()
    with pytest.raises(InputError) as caught:
        read(path)
    assert time.process_time() - begun < 5
    assert hashes(path.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that count as too many, so that bombs are made in no time."""
    monkeypatch.setattr(archives, "MAX_UNPACKED", 2**22)
    return 2**22


def test_a_zip_of_one_huge_member_is_refused(small_limits: int, tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("IM0", "w", force_zip64=True) as member,
    ):
        member.write(HEAD + bytes(small_limits))
    assert (tmp_path / "bomb.zip").stat().st_size < 2**16
    assert "which no CT series does" in refused(tmp_path / "bomb.zip")


def test_a_zip_whose_members_share_their_bytes_is_refused(tmp_path: Path) -> None:
    """Thousands of directory entries for one member: the better bomb of Fifield (2019)."""
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM0", HEAD + bytes(2**20))
    whole = path.read_bytes()
    start = whole.index(b"PK\1\2")
    end = whole.index(b"PK\5\6")
    count = 2000
    directory = b"".join(
        whole[start:end].replace(b"IM0", f"{number:03x}"[-3:].encode()) for number in range(count)
    )
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
    path.write_bytes(whole[:start] + directory + tail)
    message = refused(path)
    assert "which no CT series does" in message or "damaged" in message


def test_much_air_in_a_small_zip_is_no_bomb(make_series: Make, tmp_path: Path) -> None:
    image = ct_image(0, 0.0, PixelData=np.full(SIZE, 24, "<u2").tobytes())
    folder = make_series([image])
    with zipfile.ZipFile(tmp_path / "air.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "IM000", "IM000")
    assert read(tmp_path / "air.zip").hu.max() == -1000


@pytest.mark.parametrize(
    "name", ["../IM0", "/etc/IM0", "a/../../IM0", "C:\\IM0", "..\\..\\IM0", "\\\\host\\share\\IM0"]
)
def test_names_that_point_out_of_an_archive_are_refused(
    make_series: Make, tmp_path: Path, name: str
) -> None:
    folder = make_series()
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        archive.write(folder / "IM000", "IM000")
        archive.writestr(zipfile.ZipInfo(name), (folder / "IM001").read_bytes())
    assert "points out of the archive" in refused(tmp_path / "slip.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("where", range(0, 60, 3))
def test_a_damaged_directory_is_one_line(
    make_series: Make, tmp_path: Path, method: int, where: int
) -> None:
    folder = make_series([ct_image(0, 0.0)])
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.write(folder / "IM000", "IM000")
    whole = bytearray(path.read_bytes())
    start = whole.index(b"PK\1\2")
    whole[start + where] ^= 0xA5
    path.write_bytes(whole)
    with contextlib.suppress(InputError):  # and no other exception
        assert read(path).hu.shape == (1, *SIZE)


def test_a_dicom_file_that_ends_in_a_zip_is_a_dicom_file(make_series: Make, tmp_path: Path) -> None:
    folder = make_series([ct_image(0, 0.0)])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("x", HEAD)
    both = tmp_path / "both.dcm"
    both.write_bytes((folder / "IM000").read_bytes() + (tmp_path / "other.zip").read_bytes())
    assert read(both).meta["format"] == "DICOM file"


def test_a_deflated_bomb_is_refused(small_limits: int, tmp_path: Path) -> None:
    image = ct_image(0, 0.0)
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(image, tmp_path / "bomb")
    whole = path.read_bytes()
    meta = 144 + struct.unpack_from("<I", whole, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = [packer.compress(zlib.decompress(whole[meta:], -zlib.MAX_WBITS))]
    packed += [packer.compress(bytes(small_limits))]
    path.write_bytes(whole[:meta] + b"".join(packed) + packer.flush())
    assert path.stat().st_size < 2**16
    assert "unpacks to more than" in refused(path)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_a_huge_matrix_is_refused_before_it_is_made(make_series: Make, syntax: str) -> None:
    folder = make_series([ct_image(0, 0.0)])
    image = pydicom.dcmread(folder / "IM000")
    if syntax != ExplicitVRLittleEndian:
        image.compress(syntax)
    image.Rows = image.Columns = 65535
    image.save_as(folder / "IM000")
    assert "larger than any CT image" in refused(folder)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_a_compressed_image_of_another_size_than_its_header_says_is_refused(
    make_series: Make, syntax: str
) -> None:
    folder = make_series([ct_image(0, 0.0)])
    image = pydicom.dcmread(folder / "IM000")
    image.compress(syntax)
    (frame,) = pydicom.encaps.generate_frames(image.PixelData)
    assert encoded_size(frame) == SIZE
    rows = struct.pack(">I" if syntax == JPEG2000Lossless else ">H", SIZE[0])
    at = frame.index(rows, 4)
    large = b"\x7f" + frame[at + 1 : at + len(rows)]
    image.PixelData = pydicom.encaps.encapsulate([frame[:at] + large + frame[at + len(rows) :]])
    image.save_as(folder / "IM000")
    assert "by the header 40 x 36" in refused(folder)


def test_pixel_sizes_that_make_no_sense_are_refused(make_series: Make) -> None:
    for number, size in enumerate(["1e-9", "0.001", "1e9"]):
        image = ct_image(0, 0.0, PixelSpacing=[size, size])
        assert "pixel size" in refused(make_series([image], f"s{number}"))
