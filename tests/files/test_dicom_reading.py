"""A folder, zip or file of DICOM becomes HU in the order of space, or one clear line."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
from ct_files import SIZE, ct_image, hashes, save
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
    generate_uid,
)

from unmetal.errors import InputError
from unmetal.files import read
from unmetal.files.dicom.pixels import decode
from unmetal.files.header import window

Make = Callable[..., Path]

CT_SMALL = Path(get_testdata_file("CT_small.dcm", download=False))
MR_SAME = ("implicit", "bigendian", "RLE", "jpeg_ls_lossless", "jp2klossless", "expb")


def hu_of(image: Dataset) -> np.ndarray:
    stored = np.frombuffer(image.PixelData, "<u2").reshape(SIZE)
    return stored * float(image.RescaleSlope) + float(image.RescaleIntercept)


def refused(path: Path) -> str:
    """The line with which reading `path` is refused; nothing on disk changes by it."""
    before = hashes(path.parent)
    with pytest.raises(InputError) as caught:
        read(path)
    assert hashes(path.parent) == before
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_slices_are_sorted_by_position_not_by_name_or_number(make_series: Make) -> None:
    heights = [5.0, -2.5, 2.5, 7.5, 0.0]
    images = [ct_image(9 - i, z) for i, z in enumerate(heights)]
    volume = read(make_series(images))
    expected = np.stack([hu_of(images[i]) for i in np.argsort(heights)])
    np.testing.assert_array_equal(volume.hu, expected)
    assert volume.hu.dtype == np.float32
    assert volume.spacing == (2.5, 0.75, 0.5)
    assert volume.meta["warnings"] == ()


def test_position_is_measured_along_the_normal(make_series: Make) -> None:
    """Seen from the feet with rows running to the right, the normal points down."""
    flipped = [-1, 0, 0, 0, 1, 0]
    images = [ct_image(i, 2.5 * i, ImageOrientationPatient=flipped) for i in range(3)]
    volume = read(make_series(images))
    np.testing.assert_array_equal(volume.hu, np.stack([hu_of(i) for i in reversed(images)]))


def test_each_slice_has_its_own_rescale(make_series: Make) -> None:
    images = [ct_image(i, i, RescaleSlope=0.5 + i, RescaleIntercept=-1000 - i) for i in range(3)]
    volume = read(make_series(images))
    np.testing.assert_array_equal(volume.hu, np.stack([hu_of(i) for i in images]))


def test_what_the_header_says_comes_under_plain_names(make_series: Make) -> None:
    meta = read(make_series()).meta
    assert meta["kvp"] == 120
    assert meta["kernel"] == "B30f 3"
    assert (meta["manufacturer"], meta["model"], meta["modality"]) == ("Maker", "Model", "CT")
    assert meta["format"] == "DICOM folder"
    assert not any("Nobody" in str(v) or "secret" in str(v) for v in meta.values())


def test_folder_zip_and_file_hold_the_same(make_series: Make, tmp_path: Path) -> None:
    folder = make_series([ct_image(0, 0.0)])
    archive = tmp_path / "no-suffix-either"
    with zipfile.ZipFile(archive, "w") as z:
        z.write(folder / "IM000", "deep/er/IM000")
        z.writestr("readme.txt", "no DICOM")
    for path in (archive, folder / "IM000"):
        np.testing.assert_array_equal(read(path).hu, read(folder).hu)


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_native_syntaxes_hold_the_same(tmp_path: Path, syntax: str) -> None:
    image = pydicom.dcmread(CT_SMALL)
    expected = read(CT_SMALL).hu
    if syntax == ExplicitVRBigEndian:
        image["PixelData"].VR = "OW"
        image.PixelData = image.pixel_array.astype(">i2").tobytes()
    image.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(read(save(image, tmp_path / "other")).hu, expected)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_compression_holds_the_same(tmp_path: Path, syntax: str) -> None:
    image = pydicom.dcmread(CT_SMALL)
    image.compress(syntax)
    image.save_as(tmp_path / "small")
    np.testing.assert_array_equal(read(tmp_path / "small").hu, read(CT_SMALL).hu)


@pytest.mark.parametrize("name", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1"])
def test_jpeg_lossless_holds_the_same(tmp_path: Path, name: str) -> None:
    """The syntax most archives use; only gdcm writes it here."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(CT_SMALL))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(tmp_path / "small"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    small = pydicom.dcmread(tmp_path / "small")
    assert "JPEG Lossless" in small.file_meta.TransferSyntaxUID.name
    np.testing.assert_array_equal(read(tmp_path / "small").hu, read(CT_SMALL).hu)
    (frame,) = pydicom.encaps.generate_frames(small.PixelData)
    half = frame[: len(frame) // 2] + bytes(len(frame) // 2)
    small.PixelData = pydicom.encaps.encapsulate([half])
    small.save_as(tmp_path / "half")
    assert "has no end" in refused(tmp_path / "half")


@pytest.mark.parametrize("kind", MR_SAME)
def test_decoding_equals_the_uncompressed_original(kind: str) -> None:
    """pydicom's own test files: one MR image by several other encoders."""
    original, other = (
        pydicom.dcmread(get_testdata_file(f"MR_small{suffix}.dcm", download=False))
        for suffix in ("", f"_{kind}")
    )
    np.testing.assert_array_equal(decode(other, kind), decode(original, "original"))


def test_padding_is_found_in_either_sign(make_series: Make) -> None:
    """-2000 in a signed image is often declared as the unsigned 63536."""
    stored = np.full(SIZE, 30, "<i2")
    stored[:, :4] = -2000
    stored[0, 8:] = 900
    for value in (-2000, 63536):
        image = ct_image(0, 0.0, PixelRepresentation=1, BitsStored=16, HighBit=15)
        image.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
        image.PixelData = stored.tobytes()
        padding = read(make_series([image], f"signed{value}")).padding
        assert padding is not None
        np.testing.assert_array_equal(padding[0], stored == -2000)


def test_undeclared_filler_is_padding(make_series: Make) -> None:
    """GE fills the corners of the square with -2000, which is -3024 HU."""
    stored = np.full(SIZE, -2000, "<i2")
    stored[3:9, 4:12] = np.arange(8) * 100
    image = ct_image(0, 0.0, PixelRepresentation=1, BitsStored=16, HighBit=15)
    image.PixelData = stored.tobytes()
    np.testing.assert_array_equal(read(make_series([image])).padding[0], stored == -2000)


def test_a_gap_is_written_as_people_write_it(make_series: Make) -> None:
    images = [ct_image(i, z) for i, z in enumerate([0.0, 4.00193, 8.00386, 15.00249])]
    (said,) = read(make_series(images), log_warnings=False).meta["warnings"]
    assert said == "slices are missing or uneven: a gap of 7 mm, usual 4 mm"


@pytest.mark.parametrize(
    ("width", "level", "expected"),
    [
        ("1500", "-700", (1500, -700)),
        (["400", "1500"], ["40", "-600"], (400, 40)),
        ("0", "40", None),
        (None, "40", None),
        ("", "", None),
    ],
)
def test_the_first_window_of_the_header_is_known(make_series: Make, width, level, expected) -> None:
    image = ct_image(0, 0.0)
    for keyword, value in (("WindowWidth", width), ("WindowCenter", level)):
        if value is not None:
            setattr(image, keyword, value)
    assert window(read(make_series([image]), log_warnings=False)) == expected


def test_a_gap_is_a_warning(make_series: Make, caplog: pytest.LogCaptureFixture) -> None:
    volume = read(make_series([ct_image(i, z) for i, z in enumerate((0, 2, 4, 8, 10))]))
    assert volume.spacing[0] == 2
    assert "a gap of 4 mm" in volume.meta["warnings"][0]
    assert "a gap of 4 mm" in caplog.text


def test_a_tilted_gantry_is_a_warning_with_its_angle(make_series: Make) -> None:
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    tilted = [1, 0, 0, 0, round(c, 9), round(-s, 9)]
    images = [ct_image(i, 3.0 * i, ImageOrientationPatient=tilted) for i in range(4)]
    volume = read(make_series(images))
    assert volume.meta["tilt"] == pytest.approx(20, abs=1e-3)
    assert volume.spacing[0] == pytest.approx(3 * c)
    assert "tilted by 20.0 degrees" in volume.meta["warnings"][0]


def test_other_objects_beside_the_series_are_left_aside(make_series: Make) -> None:
    scout = ct_image(8, 0.0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scout.SeriesInstanceUID = generate_uid()
    screen = ct_image(9, 0.0, SOPClassUID=SecondaryCaptureImageStorage)
    folder = make_series([*(ct_image(i, i) for i in range(3)), scout, screen])
    save(pydicom.dcmread(get_testdata_file("reportsi.dcm", download=False)), folder / "report")
    (folder / "notes.txt").write_text("not DICOM")
    volume = read(folder)
    assert volume.hu.shape == (3, *SIZE)
    (warning,) = volume.meta["warnings"]
    assert "1 x localizer" in warning
    assert "Basic Text SR" in warning
    assert "notes.txt" not in warning


REFUSALS: dict[str, tuple[Callable[[], list[Dataset]], str]] = {
    "duplicates": (lambda: [ct_image(i, z) for i, z in enumerate((0, 2, 2, 4))], "more than one"),
    "another matrix": (
        lambda: [ct_image(0, 0), ct_image(1, 1, Rows=SIZE[0] // 2)],
        "40x36: 1 images; 40x18: 1 images",
    ),
    "another pixel size": (
        lambda: [ct_image(0, 0), ct_image(1, 1, PixelSpacing=[1, 1])],
        "different pixel sizes",
    ),
    "another orientation": (
        lambda: [ct_image(0, 0), ct_image(1, 1, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])],
        "different orientations",
    ),
    "two series": (
        lambda: [
            *(ct_image(i, i) for i in range(3)),
            ct_image(3, 0, SeriesInstanceUID=generate_uid(), SeriesDescription="Bone"),
        ],
        "number 3 Bone",
    ),
    "MR": (
        lambda: [ct_image(0, 0, Modality="MR", SOPClassUID=MRImageStorage)],
        "1 x MR, MR Image Storage",
    ),
    "enhanced": (lambda: [ct_image(0, 0, SOPClassUID=EnhancedCTImageStorage)], "multi-frame"),
    "several frames": (lambda: [ct_image(0, 0, NumberOfFrames=2)], "multi-frame"),
    "only a localizer": (lambda: [ct_image(0, 0, ImageType=["A", "B", "LOCALIZER"])], "localizer"),
    "8 bits": (
        lambda: [ct_image(0, 0, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=b"\1" * 1440)],
        "8-bit",
    ),
    "no pixels": (lambda: [ct_image(0, 0, PixelData=None)], "no pixel data"),
    "colour": (lambda: [ct_image(0, 0, SamplesPerPixel=3)], "colour"),
    "not HU": (lambda: [ct_image(0, 0, RescaleType="Z_EFF")], "Z_EFF"),
    "slope 0": (lambda: [ct_image(0, 0, RescaleSlope=0)], "slope is 0"),
    "below air": (lambda: [ct_image(0, 0, RescaleIntercept=-9000)], "not HU"),
    "few pixels": (lambda: [ct_image(0, 0, PixelData=b"\0" * 100)], "cannot be decoded"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_say_what_in_one_line(make_series: Make, case: str) -> None:
    images, expected = REFUSALS[case]
    assert expected in refused(make_series(images()))


def test_two_series_are_listed_with_their_sizes(make_series: Make) -> None:
    message = refused(make_series(REFUSALS["two series"][0]()))
    assert ": 3 images" in message
    assert ": 1 images" in message


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
def test_a_truncated_file_is_named(make_series: Make, keep: float, syntax: str) -> None:
    folder = make_series()
    file = folder / "IM003"
    if syntax != ExplicitVRLittleEndian:
        image = pydicom.dcmread(file)
        image.compress(syntax)
        image.save_as(file)
    file.write_bytes(file.read_bytes()[: int(keep * file.stat().st_size)])
    assert "IM003" in refused(folder)


def test_twelve_bit_lossy_jpeg_is_named(make_series: Make) -> None:
    """No free decoder reads it; the message must say so instead of listing plugins."""
    folder = make_series()
    lossy = pydicom.dcmread(get_testdata_file("JPGExtended.dcm", download=False))
    assert lossy.file_meta.TransferSyntaxUID == JPEGExtended12Bit
    image = ct_image(7, 99.0)
    for keyword in ("Rows", "Columns", "BitsStored", "HighBit"):
        setattr(image, keyword, lossy[keyword].value)
    image.PixelData = lossy.PixelData
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    only = folder.parent / "lossy" / "IM"
    save(image, only)
    assert "12-bit lossy JPEG" in refused(only)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize("keep", [20, 700])
def test_damaged_compressed_pixels_are_one_line(
    make_series: Make, syntax: str, keep: int, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = make_series([ct_image(0, 0.0)])
    image = pydicom.dcmread(folder / "IM000")
    image.compress(syntax)
    (frame,) = pydicom.encaps.generate_frames(image.PixelData)
    image.PixelData = pydicom.encaps.encapsulate([frame[:keep]])
    image.save_as(folder / "IM000")
    assert "cannot be decoded" in refused(folder)
    assert capfd.readouterr().err == ""


def test_numbers_that_are_none_are_one_line(make_series: Make) -> None:
    for keyword in ("RescaleSlope", "PixelSpacing", "ImagePositionPatient"):
        folder = make_series(name=keyword)
        file = folder / "IM002"
        image = pydicom.dcmread(file)
        number = image.get_item(keyword).value
        assert file.read_bytes().count(number) >= 1
        file.write_bytes(file.read_bytes().replace(number, b"x" * len(number)))
        assert "makes no sense" in refused(folder)


def test_empty_folder_and_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty folder" in refused(tmp_path / "empty")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.dcm").write_text("a name is no content")
    assert "no DICOM file" in refused(tmp_path / "texts")
    assert "no DICOM file" in refused(tmp_path / "texts" / "a.dcm")


def test_archives_that_cannot_be_read(make_series: Make, tmp_path: Path) -> None:
    folder = make_series()
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        for file in sorted(folder.iterdir()):
            z.write(file, file.name)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    refused(archive)
    at = whole.index(b"IM002") + 400
    archive.write_bytes(whole[:at] + b"\0" * 50 + whole[at + 50 :])
    refused(archive)


def test_an_archive_cannot_point_out_of_itself(make_series: Make, tmp_path: Path) -> None:
    file = make_series() / "IM000"
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as z:
        z.write(file, "../../IM000")
    assert "points out of the archive" in refused(tmp_path / "slip.zip")


def test_a_header_that_breaks_the_rules_is_taken_as_it_is(make_series: Make) -> None:
    """Warnings are errors here: pydicom's own about this value must not come through."""
    with pydicom.config.disable_value_validation():
        broken: Any = ct_image(0, 0.0, SliceThickness="2.50000000000000000001")
        folder = make_series([broken])
    assert read(folder).spacing[0] == 2.5
