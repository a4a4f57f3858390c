"""No command changes anything in its input, whether it succeeds or fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ct_files import ct_image, hashes, save

from unmetal.__main__ import main

SIDE = 64


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Three slices of a body with a rod in it, and a file that is no DICOM."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    stored = np.where(np.hypot(y, x) < 25, 1060, 24) + np.random.default_rng(0).integers(
        0, 9, (SIDE, SIDE)
    )
    stored[np.hypot(y, x - 8) < 3] = 3900
    for number in range(3):
        image = ct_image(number, 3.0 * number, Rows=SIDE, Columns=SIDE, PixelSpacing=[5, 5])
        image.PixelData = stored.astype("<u2").tobytes()
        save(image, tmp_path / "in" / f"IM{number}")
    (tmp_path / "in" / "notes.txt").write_text("mine")
    return tmp_path / "in"


COMMANDS = [
    (["reduce", "IN", "OUT", "--method", "li"], 0),
    (["reduce", "IN", "OUT", "--method", "li", "--save-difference", "--save-metal"], 0),
    (["reduce", "IN", "OUT", "--method", "li", "--report", "REPORT"], 0),
    (["reduce", "IN", "OUT", "--dry-run"], 0),
    (["reduce", "IN", "IN", "--method", "li", "--force"], 1),
    (["reduce", "IN", "IN/out", "--method", "li"], 1),
    (["reduce", "IN/IM0", "IN/IM0", "--method", "li", "--force"], 1),
    (["reduce", "IN", "OUT", "--method", "magic"], 1),
    (["reduce", "IN", "OUT.npy", "--method", "li"], 1),
    (["reduce", "IN/notes.txt", "OUT", "--method", "li"], 1),
    (["info", "IN"], 0),
    (["info", "IN/notes.txt"], 1),
    (["simulate", "IN", "OUT", "--native"], 0),
    (["simulate", "IN", "OUT"], 1),
    (["simulate", "IN", "IN", "--native", "--force"], 1),
    (["transfer", "IN", "IN", "OUT"], 0),
    (["transfer", "IN", "IN", "IN", "--force"], 1),
]


@pytest.mark.recipe
@pytest.mark.parametrize(("arguments", "code"), COMMANDS, ids=lambda x: " ".join(map(str, [x])))
def test_the_input_is_the_same_after_every_command(
    series: Path, tmp_path: Path, arguments: list[str], code: int
) -> None:
    before, listing = hashes(series), sorted(series.rglob("*"))
    places = {"IN": str(series), "OUT": str(tmp_path / "out"), "REPORT": str(tmp_path / "report")}
    for name, place in places.items():
        arguments = [
            argument.replace(name, place, 1) if argument.startswith(name) else argument
            for argument in arguments
        ]
    assert main(arguments) == code
    assert hashes(series) == before
    assert sorted(series.rglob("*")) == listing
    if code:
        assert sorted(tmp_path.iterdir()) == [series]
