"""`unmetal evaluate` as a user types it."""

import numpy as np
import pytest
from PIL import Image

from unmetal.__main__ import main

pytestmark = pytest.mark.recipe


@pytest.fixture
def data(tmp_path):
    """Two slices of water, a piece of metal, and an index of the same."""
    hu = np.full((2, 256, 256), -4000, np.int16)
    hu[:, 60:200, 50:210] = 160
    masks = np.zeros((1, 512, 512), dtype=bool)
    masks[0, 250:262, 250:262] = True
    (tmp_path / "masks").mkdir()
    np.savez(tmp_path / "deeplesion_test_256.npz", hu_x4=hu)
    np.savez(tmp_path / "masks" / "cnnmar_test_10x512.npz", masks=masks)
    Image.fromarray((hu[0] // 4 + 1024).astype(np.uint16)).save(tmp_path / "a.png")
    (tmp_path / "index.csv").write_text("file,kind,split,patient\na.png,clean,test,p\n")
    return tmp_path


def test_tables_and_a_figure_are_written_and_added_to(data, tmp_path, capsys):
    out = tmp_path / "out"
    where = ["--data", str(data), "--out", str(out), "--device", "cpu"]
    assert main(["evaluate", "li", "nmar", *where]) == 0
    assert len(list(out.iterdir())) == 7
    text = (out / "table.md").read_text()
    assert all(name in text for name in ("input", "li", "nmar", "ceiling", "PSNR", "li: every row"))
    assert main(["evaluate", "li", "nmar", *where]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["evaluate", "nmar", "bhc", *where, "--add", "--slices", "1"]) == 0
    text = (out / "table.md").read_text()
    assert text.index("| nmar ") < text.index("| bhc ") < text.index("| li ")
    assert "fewer cases" in text
    assert "already there: nmar" in capsys.readouterr().err
    assert main(["evaluate", "li", *where, "--add", "--against", "nobody"]) == 1
    assert "no such row" in capsys.readouterr().err


def test_an_index_is_a_test_set_by_patient(data, tmp_path, capsys):
    index, out = str(data / "index.csv"), str(tmp_path / "out")
    command = ["evaluate", "li", "--data", index, "--out", out, "--downsample", "2"]
    assert main([*command, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "No intervals: one patient says nothing" in said
    assert "averaged over 2 x 2" in said
