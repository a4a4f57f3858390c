"""What others make of the objects we write: validators, toolkits and readers of DICOM."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  (the name its documentation uses)
from pydicom.data import get_testdata_file

from unmetal.errors import suppress_c_stderr
from unmetal.files import Derivation, Output, difference, read, write_all
from unmetal.files.dicom.encapsulated_pdf import write_pdf

PYDICOM = Path(get_testdata_file("CT_small.dcm", download=False)).parent

SERIES = {
    "cmb_crc_port": "reference",
    "cptac_c3l_00189": "reference",
    "qa_ct_ge_head": "reference",
    "CT_small.dcm": "pydicom",
    "693_J2KI.dcm": "pydicom",
    "J2K_pixelrep_mismatch.dcm": "pydicom",
    "dicomdirtests/77654033/CT2": "pydicom",
    "dicomdirtests/98892001/CT5N": "pydicom",
}
"""Real series, and pydicom's own test files that are CT images."""

WITHOUT_FRAME = {"693_J2KI.dcm"}
"""Those that no segmentation can refer to: they have no frame of reference."""


@dataclass(frozen=True)
class Written:
    """A series, and everything that was made of it."""

    source: list[Path]
    derived: list[Path]
    difference: list[Path]
    metal: list[Path]
    contours: list[Path]
    document: list[Path]

    @property
    def images(self) -> list[Path]:
        return [*self.derived, *self.difference, *self.metal]

    @property
    def made(self) -> list[Path]:
        return [*self.images, *self.contours, *self.document]


def files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


@pytest.fixture(scope="module", params=SERIES)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The series with a disc of it changed, the change, and the disc as a segmentation."""
    if SERIES[request.param] == "pydicom":
        source = PYDICOM / request.param
    else:
        source = request.getfixturevalue("reference") / "dicom" / request.param
    volume = read(source, log_warnings=False)
    _, height, width = volume.hu.shape
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2) < width / 4
    after = volume.with_hu(np.where(disc, volume.hu - 40, volume.hu))
    mask = np.broadcast_to(disc, volume.hu.shape)
    suffix = ".dcm" if source.is_file() else ""
    base = tmp_path_factory.mktemp("written")
    names = (f"out{suffix}", f"change{suffix}", "metal.dcm", "contours.dcm")
    kinds = ("MAR", "MAR_DIFFERENCE", "MAR_METAL", "MAR_CONTOURS")
    paths = [base / name for name in names]
    done = [Derivation("ADN", kind=kind) for kind in kinds]
    outputs = [
        Output(after, paths[0], done[0]),
        Output(difference(volume, after), paths[1], done[1]),
        Output(volume, paths[2], done[2], mask),
        Output(volume, paths[3], done[3], mask, contours=True),
    ]
    write_all(outputs[: 2 if request.param in WITHOUT_FRAME else 4])
    document = base / "report.dcm"
    about = Derivation("ADN", kind="MAR_REPORT")
    write_pdf(volume, b"%PDF-1.4 of odd length", document, about, "What changed")
    paths.append(document)
    return Written(files(source), *(files(p) if p.exists() else [] for p in paths))


def needs(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed: apt-get install {package}")
    return found


def said(command: Iterable[object]) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def errors(paths: Iterable[Path]) -> set[str]:
    tool = needs("dciodvfy", "dicom3tools")
    lines = [line for path in paths for line in said([tool, "-new", path]).splitlines()]
    return {line for line in lines if line.startswith("Error")}


def test_dciodvfy_finds_no_error_that_the_source_did_not_have(written: Written) -> None:
    assert errors(written.made) <= errors(written.source)


def test_dciodvfy_would_find_an_error(tmp_path: Path) -> None:
    image = pydicom.dcmread(PYDICOM / "CT_small.dcm")
    image.DerivationCodeSequence = [pydicom.Dataset()]
    image.save_as(tmp_path / "bad")
    assert errors([tmp_path / "bad"]) - errors([PYDICOM / "CT_small.dcm"])


def test_dcentvfy_is_silent_over_source_and_derived(written: Written) -> None:
    tool = needs("dcentvfy", "dicom3tools")
    assert said([tool, *written.source]) == ""
    assert said([tool, *written.source, *written.made]) == ""


def test_dcmtk_reads_every_object(written: Written) -> None:
    tool = needs("dcmdump", "dcmtk")
    command = [tool, "--quiet", "+P", "SOPInstanceUID", *written.made]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SOPInstanceUID") == len(written.made)
    picture = needs("dcm2pnm", "dcmtk")
    for path in (written.derived[0], written.difference[0]):
        assert said([picture, "--quiet", "--write-raw-pnm", path, "/dev/null"]) == ""


def test_gdcm_reads_every_object(written: Written) -> None:
    for path in written.images:
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read(), path
        image = pydicom.dcmread(path, stop_before_pixels=True)
        assert tuple(reader.GetImage().GetDimensions())[:2] == (image.Columns, image.Rows)


def test_simpleitk_reads_the_same_values(written: Written) -> None:
    for paths in (written.derived, written.difference):
        volume = read(paths[0] if len(paths) == 1 else paths[0].parent, log_warnings=False)
        reader = sitk.ImageSeriesReader()
        names = [str(one.name) for one in volume.source.slices]
        folder = paths[0].parent
        while not (folder / names[0]).exists():
            folder = folder.parent
        reader.SetFileNames([str(folder / name) for name in names])
        with suppress_c_stderr():
            image = reader.Execute()
        values = sitk.GetArrayFromImage(image)
        padding = np.zeros(values.shape, bool) if volume.padding is None else volume.padding
        np.testing.assert_allclose(values[~padding], volume.hu[~padding], atol=1e-3)


def test_simpleitk_reads_the_metal(written: Written) -> None:
    for path in written.metal:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert len(values) == len(written.derived)
        stored = pydicom.dcmread(path).pixel_array.reshape(values.shape)
        np.testing.assert_array_equal(values > 0, stored > 0)
        assert (values > 0).any()


def test_result_is_source_plus_difference_in_stored_numbers(written: Written) -> None:
    sources = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, written.source)}
    for path, result in zip(written.difference, written.derived, strict=True):
        change, after = pydicom.dcmread(path), pydicom.dcmread(result)
        (reference,) = change.SourceImageSequence
        before = sources[reference.ReferencedSOPInstanceUID]
        assert float(change.RescaleSlope) == float(before.RescaleSlope)
        total = before.pixel_array.astype(int) + change.pixel_array
        np.testing.assert_array_equal(total, after.pixel_array)


@pytest.mark.parametrize("compress", [None, "rle", "jpegls", "j2k"])
@pytest.mark.parametrize(("equipment", "private"), [("keep", "keep"), ("replace", "drop")])
def test_every_way_to_write_is_read_by_all_and_judged_without_errors(
    tmp_path: Path, compress: Any, equipment: Any, private: Any
) -> None:
    source, path = PYDICOM / "CT_small.dcm", tmp_path / "out.dcm"
    volume = read(source)
    done = Derivation("ADN", compress=compress, equipment=equipment, private=private)
    write_all([Output(volume.with_hu(volume.hu - 7), path, done)])
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(values, volume.hu - 7)
    dump = needs("dcmdump", "dcmtk")
    assert subprocess.run([dump, "--quiet", path], capture_output=True, check=False).returncode == 0
    assert errors([path]) <= errors([source])
