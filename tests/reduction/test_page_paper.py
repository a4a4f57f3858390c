"""The report as a PDF: the same file each time, and as an object that other programs take."""

import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ct_files import ct_image, save
from pydicom import dcmread

from unmetal import files
from unmetal.files import Derivation
from unmetal.methods.li import LI
from unmetal.reduction.reduce_series import Done, Tool
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.reduction.report.document import write_document
from unmetal.reduction.report.paper import report_pdf
from unmetal.reduction.settings import Settings

SIDE = 96


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Three slices with a rod, corrected."""
    folder = tmp_path_factory.mktemp("series")
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for i in range(3):
        hu = np.where(((rows - 48) / 32) ** 2 + ((columns - 48) / 40) ** 2 < 1, 40, -1000)
        hu = hu + np.random.default_rng(i).integers(-9, 10, hu.shape)
        hu[(rows - 48) ** 2 + (columns - 30) ** 2 < 9] = 4500
        image = ct_image(
            i,
            2.5 * i,
            Rows=SIDE,
            Columns=SIDE,
            PixelSpacing=[4.0, 4.0],
            BitsStored=16,
            HighBit=15,
            PixelData=(hu + 1024).astype("<u2").tobytes(),
        )
        save(image, folder / f"IM{i}")
    reduced = reduce_volume(files.read(folder, log_warnings=False), LI())
    return Done(reduced, Derivation("LI"), Tool(LI(), "LI"), Settings(method="li"), 1.0)


def test_a_second_run_makes_the_same_pdf_whatever_the_time(done: Done) -> None:
    pdf = report_pdf(done)
    assert pdf == report_pdf(pickle.loads(pickle.dumps(done)))
    assert pdf.startswith(b"%PDF-")
    assert len(pdf) < 2e6
    for secret in (b"Nobody", b"secret-7", b"Thorax"):
        assert secret not in pdf


def test_the_pdf_says_what_the_page_says(done: Done, tmp_path: Path) -> None:
    tool = shutil.which("pdftotext")
    if tool is None:
        pytest.skip("pdftotext is not installed: apt-get install poppler-utils")
    (tmp_path / "r.pdf").write_bytes(report_pdf(done))
    text = subprocess.run(
        [tool, "-layout", tmp_path / "r.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    text = " ".join(text.split())
    for said in (
        "RESEARCH USE ONLY",
        "Metal artifact reduction: what changed",
        "3 of 3 slices changed",
        "Where not to believe it",
        "The metal that was corrected",
        "Objects that could be metal: 1",
        "Never read this from a corrected series",
    ):
        assert said in text
    for secret in ("Nobody", "secret-7", "Thorax"):
        assert secret not in text


def test_the_object_is_an_encapsulated_pdf_of_the_study(done: Done, tmp_path: Path) -> None:
    write_document(done, tmp_path / "report.dcm")
    document = dcmread(tmp_path / "report.dcm")
    source = done.reduced.source.source.slices[0].header
    assert document.SOPClassUID.name == "Encapsulated PDF Storage"
    assert document.Modality == "DOC"
    assert document.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert document.StudyInstanceUID == source.StudyInstanceUID
    assert document.PatientName == source.PatientName
    assert document.SeriesNumber == source.SeriesNumber + 5000
    assert "FrameOfReferenceUID" not in document
    assert document.SeriesDescription == "Thorax 2.5 [unmetal LI report - research]"
    pdf = document.EncapsulatedDocument[: document.EncapsulatedDocumentLength]
    assert pdf == report_pdf(done)


def test_dciodvfy_finds_no_error_in_it(done: Done, tmp_path: Path) -> None:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not installed: apt-get install dicom3tools")
    write_document(done, tmp_path / "report.dcm")

    def said(path: Path) -> list[str]:
        ran = subprocess.run([tool, "-new", path], capture_output=True, text=True, check=False)
        return (ran.stdout + ran.stderr).splitlines()

    def errors(path: Path) -> set[str]:
        return {line for line in said(path) if line.startswith("Error")}

    assert "EncapsulatedPDF" in said(tmp_path / "report.dcm")
    # What the source lacks of its patient and study is not made up.
    source = next(iter(sorted(done.reduced.source.path.iterdir())))
    assert errors(tmp_path / "report.dcm") <= errors(source)
