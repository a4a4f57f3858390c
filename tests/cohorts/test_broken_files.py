"""An archive with every kind of broken file in it: each is listed with a reason, and all else is
prepared as if they were not there."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from archives import deeplesion, hospital, manifest, series, slice_of
from PIL import Image
from pydicom.uid import JPEG2000Lossless, RLELossless

from unmetal.cohorts.preparation.prepare import prepare
from unmetal.cohorts.preparation.request import Request

HU = slice_of()


def made(path: Path, **changes) -> Path:
    """One sound DICOM image under this name."""
    series(path.parent / "new", "x", [HU], name=path.name, **changes)
    (path.parent / "new" / "IM000.dcm").replace(path)
    (path.parent / "new").rmdir()
    return path


def cut(path: Path, keep: float | int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])


def replaced(path: Path, before: bytes, after: bytes) -> None:
    content = path.read_bytes()
    assert content.count(before) == 1
    assert len(before) == len(after)
    path.write_bytes(content.replace(before, after))


def compressed(path: Path, syntax: str) -> None:
    """With the middle of the compressed pixels overwritten."""
    image = pydicom.dcmread(made(path))
    image.compress(syntax, generate_instance_uid=False)
    image.save_as(path)
    content = bytearray(path.read_bytes())
    start = content.rindex(struct.pack("<HH", 0x7FE0, 0x0010)) + 40
    content[start : len(content) - 8] = b"\xa5" * (len(content) - 8 - start)
    path.write_bytes(content)


def array(path: Path, values: np.ndarray) -> None:
    np.save(path, values)


def picture(path: Path, mode: str) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint8)).convert(mode).save(path)


def volume(path: Path, hu: np.ndarray, **options) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(hu, **options), str(path))


def short_volume(path: Path) -> None:
    volume(path, np.stack([HU] * 3).astype(np.int16))
    cut(path, 0.5)


def without_voxels(path: Path) -> None:
    volume(path, HU[None].astype(np.int16))
    path.with_suffix(".raw").unlink()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.dcm": (lambda p: p.touch(), "no DICOM file in it"),
    "text.dcm": (lambda p: p.write_text("a letter"), "no DICOM file in it"),
    "cut-header.dcm": (lambda p: cut(made(p), 400), "no CT slices in it"),
    "cut-pixels.dcm": (lambda p: cut(made(p), 0.7), "pixels cannot be decoded"),
    "no-pixels.dcm": (lambda p: made(p, PixelData=None), "has no pixel data"),
    "no-size.dcm": (lambda p: made(p, Rows=None), "damaged or truncated"),
    "wrong-vr.dcm": (lambda p: replaced(made(p), b"CS\x02\x00CT", b"ZZ\x02\x00CT"), ""),
    "no-spacing.dcm": (lambda p: replaced(made(p), b"1.5\\1.5 ", b"0.0\\0.0 "), "no pixel size"),
    "nan-spacing.dcm": (lambda p: replaced(made(p), b"1.5\\1.5 ", b"nan\\nan "), "no pixel size"),
    "slope.dcm": (lambda p: made(p, RescaleSlope=0), "rescale slope is 0"),
    "units.dcm": (lambda p: made(p, RescaleType="OD"), "values are OD, not HU"),
    "mr.dcm": (lambda p: made(p, Modality="MR"), "(1 x MR, CT Image Storage)"),
    "frames.dcm": (lambda p: made(p, NumberOfFrames=3), "(1 x multi-frame)"),
    "colour.dcm": (lambda p: made(p, SamplesPerPixel=3), "a colour picture"),
    "j2k.dcm": (lambda p: compressed(p, JPEG2000Lossless), "pixels cannot be decoded"),
    "rle.dcm": (lambda p: compressed(p, RLELossless), "pixels cannot be decoded"),
    "zip.zip": (lambda p: p.write_bytes(b"PK\3\4" + bytes(80)), ""),
    "nan.npy": (lambda p: array(p, np.full((9, 9), np.nan)), "81 values are NaN or infinite"),
    "flat.npy": (lambda p: array(p, np.zeros(9)), "has shape (9,)"),
    "four.npy": (lambda p: array(p, np.zeros((2, 2, 9, 9))), "has shape (2, 2, 9, 9)"),
    "words.npy": (lambda p: array(p, np.array(["a", "b"])), ""),
    "unit.npy": (
        lambda p: array(p, np.random.default_rng(0).random((9, 9))),
        "values from 0.0027385 to 0.99721 are not HU",
    ),
    "colour.png": (lambda p: picture(p, "RGB"), "a RGB picture, not 16-bit grey"),
    "bytes.png": (lambda p: picture(p, "L"), "a L picture, not 16-bit grey"),
    "cut.png": (
        lambda p: (deeplesion(p.parent, {"a_b_c/1.png": HU}), cut_png(p)),
        "not a complete",
    ),
    "cut.nii.gz": (short_volume, ""),
    "bytes.nii.gz": (lambda p: volume(p, np.zeros((2, 9, 9), np.uint8)), "8 bits"),
    "voxels.mhd": (without_voxels, "not a complete .mhd image"),
    "folder.dcm": (lambda p: p.mkdir(), "a folder, named as a file"),
    "gone.dcm": (lambda p: p.symlink_to("/nowhere/at/all"), "a link to nothing"),
    "pipe.dcm": (os.mkfifo, "neither a file nor a folder"),
    "closed.dcm": (lambda p: made(p).chmod(0), "cannot be read"),
}
"""Name -> how it is made, and what must be in its reason."""


def cut_png(path: Path) -> None:
    found = path.parent / "Images_png" / "a_b_c" / "1.png"
    cut(found, 0.6)
    found.replace(path)
    shutil.rmtree(path.parent / "Images_png")


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """File -> line of the manifest, of an archive with all of them in it; and the sound lines."""
    root = tmp_path_factory.mktemp("archive")
    hospital(root / "in", affected=1, clean=1)
    (root / "in" / "broken").mkdir()
    for name, (make, _) in BROKEN.items():
        make(root / "in" / "broken" / name)
    prepare(Request(root / "in"), root / "out", jobs=0, key_file=root / "key")
    rows = manifest(root / "out")
    files = json.loads((root / "key").read_text())["files"]
    return {Path(files[row["source"]]).name: row for row in rows}, rows


@pytest.mark.parametrize("name", BROKEN)
def test_each_is_listed_with_its_reason(listed, name):
    if name == "closed.dcm" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    row = listed[0][name]
    assert row["decision"] == "left out"
    assert BROKEN[name][1] in row["reason"]
    assert row["reason"]
    assert not row["index"]


def test_there_are_twenty_kinds_and_all_else_is_prepared(listed):
    _, rows = listed
    assert len(BROKEN) >= 20
    sound = [row for row in rows if row["decision"] != "left out"]
    assert len(sound) == 6 + (os.geteuid() == 0), "what is closed is open to root"
    assert len({row["reason"] for row in rows}) > 18
