"""The node's reports: one for people on its disk, one as a PDF for the archive."""

import json

import pytest
from hospital import SECRETS, Direct, ct_series, send, until
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage

from unmetal.reduction.report.page import NUMBERS, PAGE

pytestmark = pytest.mark.recipe


def lines(node) -> list[dict]:
    return [json.loads(line) for line in node.log.stream.getvalue().splitlines()]


def documents(archive) -> list:
    return [one for one in archive.images.values() if one.SOPClassUID == EncapsulatedPDFStorage]


def test_each_series_has_a_report_here_and_in_the_archive(make_node, archive, tmp_path) -> None:
    reports = tmp_path / "reports"
    node = make_node(reducer=Direct(report=reports, send_report=True))
    images = ct_series("hips", 4)
    late = images.pop()
    send(images, node.config.receive.port)
    until(lambda: len(archive.images) == 4)
    (document,) = documents(archive)
    derived = [one for one in archive.images.values() if one.SOPClassUID == CTImageStorage]
    assert document.StudyInstanceUID == images[0].StudyInstanceUID
    assert document.PatientID == images[0].PatientID
    assert {document.SeriesInstanceUID, derived[0].SeriesInstanceUID} & {
        images[0].SeriesInstanceUID
    } == set()
    assert document.SeriesInstanceUID != derived[0].SeriesInstanceUID
    assert [one.ReferencedSOPInstanceUID for one in document.SourceInstanceSequence] == [
        one.SOPInstanceUID for one in images
    ]
    assert document.BurnedInAnnotation == "NO"
    pdf = document.EncapsulatedDocument[: document.EncapsulatedDocumentLength]
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")

    (folder,) = reports.iterdir()
    assert {path.name for path in folder.iterdir()} == {PAGE, NUMBERS}
    page = (folder / PAGE).read_text()
    for secret in SECRETS:
        assert secret not in page
        assert secret.encode() not in pdf
    assert folder.stat().st_mode & 0o077 == 0 or reports.stat().st_mode & 0o077 == 0

    # A late image has a report here; the archive has the one of the series already.
    until(lambda: not sum(node.spool.counts().values()))
    send([late], node.config.receive.port)
    until(lambda: len(archive.images) == 5)
    until(lambda: len([*reports.iterdir()]) == 2)
    assert len(documents(archive)) == 1


def test_a_series_without_metal_has_a_report_and_sends_none(make_node, archive, tmp_path) -> None:
    node = make_node(reducer=Direct(report=tmp_path / "reports", send_report=True))
    send(ct_series("plain", 2, metal=False), node.config.receive.port)
    until(lambda: [line for line in lines(node) if line["event"] == "skipped"])
    (folder,) = (tmp_path / "reports").iterdir()
    assert json.loads((folder / NUMBERS).read_text())["series"]["changed"] == 0
    assert archive.images == {}


def test_a_report_that_cannot_be_written_holds_no_series_up(make_node, archive, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    node = make_node(reducer=Direct(report=tmp_path / "file"))
    send(ct_series("hips", 2), node.config.receive.port)
    until(lambda: len(archive.images) == 2)
    (line,) = (line for line in lines(node) if line["event"] == "reduced")
    assert "report" in line["warnings"]
