"""What is offered for download, by the source's format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from unmetal.viewer.exports import download_name, exports_of, why_not
from unmetal.viewer.placement import grid_from
from unmetal.viewer.records import OpenSeries, Result, Source

GRID = grid_from((2, 4, 4), (1.0, 1.0, 1.0), None, spacing_known=True)
SERIES = OpenSeries("s", Source(Path("Nobody.mhd")), GRID, Path("s.npy"), "itk", ".mhd")
RESULT = Result("r", "s", "ADN fine/tuned", "ADN", Path("r"), (), changed=(1,), metal=(1,))


@pytest.mark.parametrize(
    ("format", "suffix", "own"),
    [
        ("itk", ".mhd", "corrected.mha"),
        ("itk", ".nrrd", "corrected.nrrd"),
        ("nifti", ".nii", "corrected.nii"),
        ("nifti", "", "corrected.nii.gz"),
        ("npy", "", "corrected.npy"),
        ("png", ".png", "corrected.png"),
    ],
)
def test_a_result_has_the_format_of_its_source_in_one_file(format, suffix, own) -> None:
    exports = exports_of(replace(SERIES, format=format, suffix=suffix), RESULT)
    assert exports[0] == own
    assert len(set(exports)) == len(exports)
    assert {"corrected.nii.gz", "report.html", "picture.png"} <= set(exports)
    assert "dicom.zip" not in exports


def test_what_was_not_changed_has_no_difference_and_no_metal() -> None:
    dicom = replace(SERIES, format="dicom", suffix="")
    nothing = replace(RESULT, changed=(), metal=())
    assert exports_of(dicom, nothing)[0] == "dicom.zip"
    assert not {"difference.zip", "seg.dcm"} & set(exports_of(dicom, nothing))
    assert why_not("difference.zip", dicom, nothing) == "difference.zip: nothing was changed"
    assert "no metal" in why_not("seg.dcm", dicom, nothing)
    assert "take corrected.mha" in why_not("seg.dcm", SERIES, RESULT)


def test_names_of_downloads_say_nothing_of_the_series() -> None:
    assert download_name(RESULT, "corrected.nii.gz") == "unmetal-adn-fine-tuned-corrected.nii.gz"
    assert download_name(RESULT, "picture.png", index=4) == (
        "unmetal-adn-fine-tuned-picture-slice-5.png"
    )
