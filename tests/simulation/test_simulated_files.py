"""An artifact that was put in is labelled as such, and never as one that was taken out."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from ct_files import ct_image, save
from pydicom.dataset import Dataset

from unmetal import files
from unmetal.__main__ import main

SIDE = 64


@pytest.fixture
def series(tmp_path: Path) -> str:
    """Two DICOM slices of a body of water."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    stored = np.where(np.hypot(y, x) < 25, 1060, 24)
    for number in range(2):
        image = ct_image(number, 3.0 * number, Rows=SIDE, Columns=SIDE, PixelSpacing=[5, 5])
        image.PixelData = stored.astype("<u2").tobytes()
        save(image, tmp_path / "in" / f"IM{number}")
    return str(tmp_path / "in")


def first(folder: Path) -> Dataset:
    return pydicom.dcmread(next(folder.iterdir()))


@pytest.mark.parametrize("command", ["simulate", "transfer"])
def test_the_header_says_simulated_and_nothing_says_reduced(
    series: str, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "out"
    given = {"simulate": [series, str(out), "--native"], "transfer": [series, series, str(out)]}
    assert main([command, *given[command]]) == 0
    image = first(out)
    assert list(image.ImageType) == ["DERIVED", "SECONDARY", "AXIAL", "SIMULATED"]
    (code,) = image.DerivationCodeSequence
    assert (code.CodeValue, code.CodeMeaning) == ("SIMULATED", "Simulated metal artifact")
    assert image.DerivationDescription.startswith("SIMULATED metal artifact, not the patient's")
    assert image.SeriesDescription.endswith("SIMULATED - research]")
    *_, made_by = image.ContributingEquipmentSequence
    assert made_by.ContributionDescription == "Simulated metal artifact. RESEARCH USE ONLY"
    assert "reduction" not in str(image).lower()
    # So it may be reduced, without --force.
    assert not files.read(out).meta["made_by_unmetal"]
    assert main(["reduce", str(out), str(tmp_path / "again"), "--method", "li"]) == 0
    assert first(tmp_path / "again").ImageType[3] == "MAR"


def test_another_seed_makes_other_objects_and_the_same_one_the_same(
    series: str, tmp_path: Path
) -> None:
    uids = []
    for name, seed in (("one", "1"), ("same", "1"), ("other", "2")):
        command = ["simulate", series, str(tmp_path / name), "--native", "--seed", seed]
        assert main(command) == 0
        uids.append(first(tmp_path / name).SeriesInstanceUID)
    assert uids[0] == uids[1] != uids[2]
