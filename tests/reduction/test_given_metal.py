"""What the user says is metal: by a mask, by a smallest area, from file to file and in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from ct_files import hashes
from pydicom.uid import generate_uid
from test_series import AFFECTED, DIMMER, PIXEL, SIDE, phantom, run, series

import unmetal
from unmetal import files
from unmetal.__main__ import main
from unmetal.errors import InputError
from unmetal.physics.derive import without_small_pieces
from unmetal.reduction.reduce_series import reduce_series
from unmetal.reduction.report.page import render
from unmetal.reduction.settings import Settings

__all__ = ["series"]


@pytest.mark.parametrize("name", ["out-metal.dcm", "out-metal-rtstruct.dcm"])
def test_saved_metal_that_is_given_back_makes_the_same_pixels(
    series: Path, tmp_path: Path, name: str
) -> None:
    found = run(series, tmp_path / "out", save_metal=True)
    again = reduce_series(
        series, tmp_path / "again", Settings(save_metal=True), DIMMER, mask=tmp_path / name
    )
    assert found.reduced.metal.sum() > 20
    np.testing.assert_array_equal(again.reduced.metal, found.reduced.metal)
    np.testing.assert_array_equal(again.reduced.volume.hu, found.reduced.volume.hu)
    image = pydicom.dcmread(tmp_path / "again" / "IM1")
    assert "metal as given, mask sha256:" in image.DerivationDescription
    assert image.SOPInstanceUID != pydicom.dcmread(tmp_path / "out" / "IM1").SOPInstanceUID
    (segment,) = pydicom.dcmread(tmp_path / "again-metal.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == "MANUAL"


def test_an_edited_mask_decides_which_slices_change(series: Path, tmp_path: Path) -> None:
    metal = run(series, tmp_path / "out").reduced.metal
    metal[AFFECTED[0]] = False
    metal[0, 30:33, 30:33] = True
    np.save(tmp_path / "edited.npy", metal)
    mask = tmp_path / "edited.npy"
    done = reduce_series(series, tmp_path / "again", Settings(), DIMMER, mask=mask)
    assert list(done.reduced.changed) == [0, AFFECTED[1]]


def test_the_mask_is_never_replaced(series: Path, tmp_path: Path) -> None:
    run(series, tmp_path / "out", save_metal=True)
    before = hashes(tmp_path)
    settings = Settings(save_metal=True, force=True)
    with pytest.raises(InputError, match="lies over the input"):
        reduce_series(series, tmp_path / "out", settings, DIMMER, mask=tmp_path / "out-metal.dcm")
    assert hashes(tmp_path) == before


def test_a_mask_for_a_folder_of_many_series_is_refused(
    series: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(series.iterdir()):
        image = pydicom.dcmread(path)
        image.SeriesInstanceUID, image.SOPInstanceUID = "1.2.3", generate_uid()
        image.save_as(path.with_name(f"other-{path.name}"))
    np.save(tmp_path / "mask.npy", np.ones((5, SIDE, SIDE), bool))
    command = ["reduce", str(series), str(tmp_path / "out"), "--method", "li"]
    assert main([*command, "--metal-mask", str(tmp_path / "mask.npy")]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "holds 2 series" in said[0]
    assert not (tmp_path / "out").exists()


def test_pieces_are_measured_in_their_slice_and_diagonals_connect() -> None:
    metal = np.zeros((3, 12, 12), bool)
    metal[:, 1, 1] = True  # one pixel in each slice: a line across them, but small in each
    metal[1, 4:6, 4:6] = metal[1, 6, 6] = True
    kept = without_small_pieces(metal, 2.0, 20.0)
    assert kept.sum() == 5
    assert kept[1, 4:7, 4:7].sum() == 5
    assert without_small_pieces(metal, 2.0, 20.1).sum() == 0
    assert np.array_equal(without_small_pieces(metal, 2.0, 0.0), metal)


def test_small_metal_is_left_alone_unless_it_is_given(series: Path, tmp_path: Path) -> None:
    found = run(series, tmp_path / "out", save_metal=True).reduced.metal
    area = max(float(one.sum()) for one in found) * PIXEL**2 + 1
    left = run(series, tmp_path / "left", min_metal_mm2=area)
    assert not left.reduced.metal.any()
    assert not len(left.reduced.changed)
    given = reduce_series(
        series,
        tmp_path / "given",
        Settings(min_metal_mm2=area),
        DIMMER,
        mask=tmp_path / "out-metal.dcm",
    )
    np.testing.assert_array_equal(given.reduced.metal, found)
    with pytest.raises(InputError, match="least area"):
        Settings(min_metal_mm2=-1)


def test_metal_is_given_as_an_array_in_python() -> None:
    hu = phantom(0).astype(np.float32) - 1024
    hu[hu < -1500] = -1000
    metal = np.zeros((SIDE, SIDE), bool)
    metal[30:34, 30:34] = True
    assert np.array_equal(unmetal.reduce(hu, "li", spacing=PIXEL), hu)
    result = unmetal.reduce(hu, "li", spacing=PIXEL, metal=metal)
    assert (result != hu).any()
    assert np.array_equal(result[metal], hu[metal])
    with pytest.raises(InputError, match="does not fit the series"):
        unmetal.reduce(hu, "li", spacing=PIXEL, metal=metal[:, 1:])
    volume = files.Volume(hu[None], (1, PIXEL, PIXEL))
    assert np.array_equal(unmetal.reduce(volume, "li", metal=metal).hu[0], result)


def test_the_report_of_given_metal_names_no_threshold(series: Path, tmp_path: Path) -> None:
    found = run(series, tmp_path / "out", save_metal=True)
    mask = tmp_path / "out-metal.dcm"
    given = reduce_series(series, tmp_path / "again", Settings(), DIMMER, mask=mask)
    (page, _), (searched, _) = render(given), render(found)
    assert "The same rule finds" in searched
    assert "metal above" in searched
    assert "The same rule finds" not in page
    assert "metal above" not in page
