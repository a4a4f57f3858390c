"""`unmetal info` says what there is and never whose it is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ct_files import ct_image, save
from pydicom.data import get_testdata_file

from unmetal.__main__ import main

CT_SMALL = get_testdata_file("CT_small.dcm", download=False)


def test_a_dicom_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", CT_SMALL]) == 0
    said = capsys.readouterr().out
    for fact in ("DICOM file", "128 x 128", "-896 to 1167 HU", "120", "GE MEDICAL"):
        assert fact in said
    assert "CompressedSamples" not in said
    assert "1CT1" not in said


def test_what_is_assumed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "in.npy", np.linspace(-1000, 2000, 512 * 4).reshape(4, 512))
    assert main(["info", str(tmp_path / "in.npy")]) == 0
    said = capsys.readouterr().out
    assert "0.75 x 0.75 mm (assumed)" in said
    assert "warning" in said


def test_nothing_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(tmp_path / "missing")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_several_series_are_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`unmetal reduce` takes such a folder, too."""
    for number in range(2):
        uid = f"1.2.{number}"
        for image in range(3):
            made = ct_image(image, 2.5 * image, SeriesInstanceUID=uid, SeriesNumber=number)
            made.SOPInstanceUID = f"{uid}.{image}"
            save(made, tmp_path / f"s{number}" / f"IM{image}")
    (tmp_path / "notes.txt").write_text("no image")
    assert main(["info", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.count("3 images  40 x 36, 0.75 mm, 2.5 mm thick, 120 kVp, B30f 3  in s") == 2
    assert said.count("\n") == 2
    assert "Nobody" not in said
    assert main(["info", str(tmp_path / "s1")]) == 0
    assert "3, 2.5 mm apart" in capsys.readouterr().out


def test_torch_is_not_imported() -> None:
    code = (
        f"import sys; from unmetal.__main__ import main; main(['info', {CT_SMALL!r}]); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
