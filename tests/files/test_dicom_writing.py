"""A derived series: pixels bit for bit, everything copied, and named for what it is."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from ct_files import SIZE, ct_image, hashes, save
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from unmetal.errors import InputError
from unmetal.files import Derivation, read, write

Make = Callable[..., Path]

KEPT = (
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "PatientName",
    "PatientID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "InstanceNumber",
    "RescaleSlope",
    "RescaleIntercept",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "Manufacturer",
    "KVP",
)


def pairs(source: Path, derived: Path) -> list[tuple[Dataset, Dataset]]:
    names = sorted(hashes(source))
    assert names == sorted(hashes(derived))
    return [(pydicom.dcmread(source / n), pydicom.dcmread(derived / n)) for n in names]


def test_an_unchanged_series_comes_back_bit_for_bit(make_series: Make, tmp_path: Path) -> None:
    source = make_series()
    before = hashes(source)
    write(read(source), tmp_path / "out")
    for one, other in pairs(source, tmp_path / "out"):
        assert one.PixelData == other.PixelData
        assert all(one[k].value == other[k].value for k in KEPT)
    assert hashes(source) == before
    np.testing.assert_array_equal(read(tmp_path / "out").hu, read(source).hu)
    assert read(tmp_path / "out").spacing == read(source).spacing


def test_one_changed_pixel_changes_only_that_one(make_series: Make, tmp_path: Path) -> None:
    source = make_series()
    volume = read(source)
    hu = volume.hu.copy()
    hu[2, 3, 5] = 71.6
    write(volume.with_hu(hu), tmp_path / "out")
    changed = np.stack([a.pixel_array != b.pixel_array for a, b in pairs(source, tmp_path / "out")])
    assert [tuple(i) for i in np.argwhere(changed)] == [(2, 3, 5)]
    assert read(tmp_path / "out").hu[2, 3, 5] == 72


def test_a_fractional_slope_does_not_move_unchanged_pixels(
    make_series: Make, tmp_path: Path
) -> None:
    images = [ct_image(i, i, RescaleSlope="0.33333333", RescaleIntercept=-1000) for i in range(2)]
    source = make_series(images)
    volume = read(source)
    write(volume.with_hu(volume.hu.copy()), tmp_path / "out")
    assert all(a.PixelData == b.PixelData for a, b in pairs(source, tmp_path / "out"))


@pytest.mark.parametrize(("bits", "signed"), [(12, 0), (16, 0), (16, 1), (12, 1)])
def test_values_are_clipped_to_the_bits_stored_and_counted(
    make_series: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int, signed: int
) -> None:
    image = ct_image(0, 0.0, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=signed)
    image.PixelData = (np.arange(SIZE[0] * SIZE[1]).astype("<u2") % 2000).tobytes()
    volume = read(make_series([image]))
    hu = volume.hu.copy()
    hu[0, 0, :3] = 1e6, -1e6, 1e5
    write(volume.with_hu(hu), tmp_path / "out")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    stored = pydicom.dcmread(tmp_path / "out" / "IM000").pixel_array
    np.testing.assert_array_equal(stored[0, :3], (high, low, high))
    assert "3 values do not fit" in caplog.text


def test_a_derived_image_says_what_it_is(make_series: Make, tmp_path: Path) -> None:
    source = make_series()
    done = Derivation("ADN", "By ADN, metal kept", outcome="All done.")
    write(read(source), tmp_path / "out", derivation=done)
    made = pairs(source, tmp_path / "out")
    assert len({b.SeriesInstanceUID for _, b in made}) == 1
    for a, b in made:
        assert list(b.ImageType) == ["DERIVED", "SECONDARY", "AXIAL", "MAR"]
        assert b.SeriesNumber == 1003
        assert b.SeriesDescription == "Thorax 2.5 [unmetal ADN - research]"
        assert b.DerivationDescription == "By ADN, metal kept All done."
        assert b.SOPInstanceUID == b.file_meta.MediaStorageSOPInstanceUID != a.SOPInstanceUID
        assert b.SeriesInstanceUID != a.SeriesInstanceUID
        assert b.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        (reference,) = b.SourceImageSequence
        assert reference.ReferencedSOPInstanceUID == a.SOPInstanceUID
        assert reference.ReferencedSOPClassUID == a.SOPClassUID
        assert reference.SpatialLocationsPreserved == "YES"
        assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"


def test_a_second_run_writes_the_same_bytes_another_method_others(
    make_series: Make, tmp_path: Path
) -> None:
    volume = read(make_series())
    for name, method in (("a", "LI"), ("b", "LI"), ("c", "NMAR")):
        write(volume, tmp_path / name, derivation=Derivation(method))
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    uids = [pydicom.dcmread(tmp_path / n / "IM000").SOPInstanceUID for n in "ac"]
    assert uids[0] != uids[1]


@pytest.mark.parametrize("length", [0, 30, 39, 40, 64])
def test_the_description_fits_64_characters(make_series: Make, tmp_path: Path, length: int) -> None:
    write(
        read(make_series([ct_image(0, 0.0, SeriesDescription="x" * length)])),
        tmp_path / "out",
        derivation=Derivation("ADN"),
    )
    text = pydicom.dcmread(tmp_path / "out" / "IM000").SeriesDescription
    assert len(text) <= 64
    assert text == f"{'x' * min(length, 39)} [unmetal ADN - research]".strip()


def test_what_is_true_of_the_source_pixels_only_is_dropped(
    make_series: Make, tmp_path: Path
) -> None:
    image = ct_image(0, 0.0, SmallestImagePixelValue=0, LargestImagePixelValue=9)
    image.LossyImageCompression = "01"
    image.IconImageSequence = [Dataset()]
    image.DataSetTrailingPadding = b"\0" * 8
    write(read(make_series([image])), tmp_path / "out")
    made = pydicom.dcmread(tmp_path / "out" / "IM000")
    assert "SmallestImagePixelValue" not in made
    assert "LargestImagePixelValue" not in made
    assert "IconImageSequence" not in made
    assert "DataSetTrailingPadding" not in made
    assert made.LossyImageCompression == "01"


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless]
)
def test_character_sets_private_elements_and_words_survive(
    make_series: Make, tmp_path: Path, syntax: str
) -> None:
    image = ct_image(0, 0.0, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")
    block = image.private_block(0x0029, "UNMETAL TEST", create=True)
    block.add_new(0x01, "LO", "gemessen in Köln")
    block.add_new(0x02, "OB", b"\1\2\3\4")
    image.add_new("RedPaletteColorLookupTableData", "OW", b"\1\0\2\0")
    image.ReferencedImageSequence = [Dataset()]
    image.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"
    stored = np.frombuffer(image.PixelData, "<u2").reshape(SIZE)
    if syntax == ExplicitVRBigEndian:
        image.PixelData = stored.astype(">u2").tobytes()
        image["RedPaletteColorLookupTableData"].value = b"\0\1\0\2"
    if syntax == RLELossless:
        image.compress(RLELossless)
    image.file_meta.TransferSyntaxUID = syntax
    save(image, tmp_path / "in" / "file")
    write(read(tmp_path / "in"), tmp_path / "out")
    made = pydicom.dcmread(tmp_path / "out" / "file")
    np.testing.assert_array_equal(made.pixel_array, stored)
    assert made.PatientName == "Müller^Jörg"
    kept = made.private_block(0x0029, "UNMETAL TEST")
    if syntax != ImplicitVRLittleEndian:  # which does not say what a private value is
        assert kept[0x01].value == "gemessen in Köln"
    assert kept[0x02].value == b"\1\2\3\4"
    assert made.RedPaletteColorLookupTableData == b"\1\0\2\0"
    assert made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"


def test_header_values_that_break_the_rules_are_given_back(
    make_series: Make, tmp_path: Path
) -> None:
    with pydicom.config.disable_value_validation():
        image = ct_image(0, 0.0, SliceThickness="2.50000000000000000001")
        folder = make_series([image])
        write(read(folder), tmp_path / "out")
        made = pydicom.dcmread(tmp_path / "out" / "IM000")
        assert made.get_item("SliceThickness").value.strip() == b"2.50000000000000000001"


def test_relative_names_are_kept_and_other_files_left_out(
    make_series: Make, tmp_path: Path
) -> None:
    images = [ct_image(i, i) for i in range(2)]
    save(images[0], tmp_path / "in" / "a" / "x.dcm")
    save(images[1], tmp_path / "in" / "b" / "x")
    (tmp_path / "in" / "notes.txt").write_text("not DICOM")
    write(read(tmp_path / "in"), tmp_path / "new" / "out")
    assert list(hashes(tmp_path / "new" / "out")) == ["a/x.dcm", "b/x"]


def test_zip_in_zip_out(make_series: Make, tmp_path: Path) -> None:
    folder = make_series()
    archive = zipped(folder, tmp_path / "in.zip")
    write(read(archive), tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as held:
        assert held.namelist() == [f"s/IM00{i}" for i in range(5)]
    np.testing.assert_array_equal(read(tmp_path / "out.zip").hu, read(folder).hu)
    write(read(folder), tmp_path / "from-folder.zip")
    assert read(tmp_path / "from-folder.zip").meta["format"] == "DICOM zip"


def test_a_zip_without_zip_in_the_name_of_the_output_gives_a_folder(
    make_series: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was an archive without a suffix, which no viewer opens."""
    folder = make_series()
    caplog.set_level("INFO")
    write(read(zipped(folder, tmp_path / "in.zip")), tmp_path / "out")
    assert list(hashes(tmp_path / "out")) == [f"s/IM00{i}" for i in range(5)]
    np.testing.assert_array_equal(read(tmp_path / "out").hu, read(folder).hu)
    assert "out: written as a folder" in caplog.text
    with pytest.raises(InputError, match="exists already"):
        write(read(tmp_path / "in.zip"), tmp_path / "out")
    write(read(tmp_path / "in.zip"), tmp_path / "out", force=True)


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.iterdir()):
            file.write(path, f"s/{path.name}")
    return archive


def test_file_in_file_out(tmp_path: Path) -> None:
    volume = read(Path(get_testdata_file("CT_small.dcm", download=False)))
    write(volume, tmp_path / "out.dcm")
    np.testing.assert_array_equal(read(tmp_path / "out.dcm").hu, volume.hu)


def test_several_slices_do_not_fit_one_file(make_series: Make, tmp_path: Path) -> None:
    volume = read(make_series())
    before = hashes(tmp_path)
    with pytest.raises(InputError, match="5 slices need a folder"):
        write(volume, tmp_path / "out.dcm")
    assert hashes(tmp_path) == before
    assert not list(tmp_path.glob(".unmetal*"))


def made_of(image: Dataset, tmp_path: Path, **done: Any) -> Dataset:
    """The derived image of one image."""
    save(image, tmp_path / "one" / "IM")
    write(read(tmp_path / "one"), tmp_path / "made", derivation=Derivation("ADN", **done))
    return pydicom.dcmread(tmp_path / "made" / "IM")


def test_who_made_it_is_appended_and_the_scanner_kept(tmp_path: Path) -> None:
    image = ct_image(0, 0.0, SoftwareVersions="scanner 1")
    before = Dataset()
    before.Manufacturer = "Router"
    image.ContributingEquipmentSequence = [before]
    made = made_of(image, tmp_path, weights="ab" * 32)
    assert (made.Manufacturer, made.ManufacturerModelName) == ("Maker", "Model")
    assert made.SoftwareVersions == "scanner 1"
    router, ours = made.ContributingEquipmentSequence
    assert router.Manufacturer == "Router"
    assert ours.Manufacturer == "unmetal"
    assert ours.ManufacturerModelName == "unmetal ADN"
    assert ours.SoftwareVersions.startswith("unmetal ")
    assert ours.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
    (code,) = made.DerivationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("MAR", "99UNMETAL")
    (scheme,) = made.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99UNMETAL"


def test_each_trained_model_is_a_device_of_its_own(tmp_path: Path) -> None:
    seen = []
    for number, weights in enumerate(["ab" * 32, "cd" * 32, "", "ab" * 32]):
        made = made_of(ct_image(0, 0.0), tmp_path / str(number), weights=weights)
        seen.append(made.ContributingEquipmentSequence[0].DeviceUID)
    assert len(set(seen)) == 3
    assert seen[0] == seen[3]


def test_the_equipment_can_be_replaced_by_ours(tmp_path: Path) -> None:
    image = ct_image(0, 0.0, SoftwareVersions="scanner 1", DeviceSerialNumber="7")
    made = made_of(image, tmp_path, equipment="replace")
    assert (made.Manufacturer, made.ManufacturerModelName) == ("unmetal", "unmetal ADN")
    assert "DeviceSerialNumber" not in made
    scanner, _ = made.ContributingEquipmentSequence
    assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert (scanner.Manufacturer, scanner.ManufacturerModelName) == ("Maker", "Model")
    assert (scanner.SoftwareVersions, scanner.DeviceSerialNumber) == ("scanner 1", "7")


def test_private_elements_can_be_dropped(tmp_path: Path) -> None:
    image = ct_image(0, 0.0)
    image.private_block(0x0029, "UNMETAL TEST", create=True).add_new(0x01, "LO", "secret")
    for private, kept in (("keep", True), ("drop", False)):
        made = made_of(image, tmp_path / private, private=private)
        assert bool([e for e in made if e.tag.is_private]) == kept


def overlay(image: Dataset, group: int, kind: str, *, own: bool) -> None:
    """An overlay plane, with bits of its own or in those that the pixels leave."""
    image.add_new((group, 0x0010), "US", SIZE[0])
    image.add_new((group, 0x0011), "US", SIZE[1])
    image.add_new((group, 0x0040), "CS", kind)
    image.add_new((group, 0x0050), "SS", [1, 1])
    image.add_new((group, 0x0100), "US", 1 if own else 16)
    image.add_new((group, 0x0102), "US", 0 if own else 12)
    if own:
        image.add_new((group, 0x3000), "OW", bytes(SIZE[0] * SIZE[1] // 8))


def test_overlays_that_say_something_of_the_pixels_are_dropped(tmp_path: Path) -> None:
    image = ct_image(0, 0.0)
    overlay(image, 0x6000, "G", own=True)
    overlay(image, 0x6002, "R", own=True)
    overlay(image, 0x6004, "G", own=False)
    made = made_of(image, tmp_path)
    assert {tag.group for tag in made.keys() if 0x6000 <= tag.group <= 0x60FF} == {0x6000}  # noqa: SIM118


def test_a_lossy_encoding_is_said_even_where_the_source_does_not(tmp_path: Path) -> None:
    source = pydicom.dcmread(get_testdata_file("693_J2KI.dcm", download=False))
    del source.LossyImageCompression
    source.save_as(tmp_path / "in.dcm")
    write(read(tmp_path / "in.dcm"), tmp_path / "out.dcm")
    made = pydicom.dcmread(tmp_path / "out.dcm")
    assert made.LossyImageCompression == "01"
    assert made.LossyImageCompressionMethod == "ISO_15444_1"
    kept = made_of(
        ct_image(0, 0.0, LossyImageCompression="01", LossyImageCompressionRatio="9"), tmp_path
    )
    assert (kept.LossyImageCompression, kept.LossyImageCompressionRatio) == ("01", 9)


@pytest.mark.parametrize("how", ["rle", "jpegls", "j2k"])
@pytest.mark.parametrize(("bits", "signed"), [(12, 0), (16, 0), (16, 1), (12, 1)])
def test_compression_gives_every_number_back(
    tmp_path: Path, how: str, bits: int, signed: int
) -> None:
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    values = np.random.default_rng(0).integers(low, high, SIZE)
    values[0, :2] = low, high - 1
    kind = "<i2" if signed else "<u2"
    image = ct_image(0, 0.0, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=signed)
    image.PixelData = values.astype(kind).tobytes()
    made = made_of(image, tmp_path, compress=how)
    assert made.file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(made.pixel_array, values)


def test_the_number_of_a_series_stays_a_number(tmp_path: Path) -> None:
    for number, (before, offset, after) in enumerate(
        [(3, 1000, 1003), (None, 1000, 1000), (2**31 - 5, 1000, 2**31 - 1), (7, 0, 7)]
    ):
        image = ct_image(0, 0.0, SeriesNumber=before)
        made = made_of(image, tmp_path / str(number), series_offset=offset)
        assert made.SeriesNumber == after


def test_slices_without_uids_or_with_the_same_get_uids_of_their_own(
    make_series: Make, tmp_path: Path
) -> None:
    images = [ct_image(i, float(i)) for i in range(4)]
    images[1].SOPInstanceUID = images[0].SOPInstanceUID
    for name in "ab":
        folder = tmp_path / "in"
        for i, image in enumerate(images):
            save(image, folder / f"{i}")
        for i in (2, 3):
            image = pydicom.dcmread(folder / f"{i}")
            del image.SOPInstanceUID
            image.save_as(folder / f"{i}")
        write(read(folder), tmp_path / name)
    made = [pydicom.dcmread(path) for path in sorted((tmp_path / "a").iterdir())]
    assert len({image.SOPInstanceUID for image in made}) == 4
    assert ["SourceImageSequence" in image for image in made] == [True, True, False, False]
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
