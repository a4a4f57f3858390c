"""The command line as other programs call it: order of arguments, exit codes, what is left."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from unmetal.__main__ import main


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """A slice with two bright rods in it."""
    rows, columns = np.mgrid[:96, :96]
    hu = np.full((96, 96), -1000, np.float32)
    hu[((rows - 48) / 32) ** 2 + ((columns - 48) / 40) ** 2 < 1] = 40
    hu[46:50, 20:76] = -150
    for column in (30, 66):
        hu[(rows - 48) ** 2 + (columns - column) ** 2 < 9] = 6000
    np.save(tmp_path / "in.npy", hu)
    return tmp_path / "in.npy"


def everything(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.recipe
@pytest.mark.parametrize("method", ["li", "bhc", "nmar"])
def test_reduce_writes_what_it_says(spoilt, method, tmp_path, capsys):
    before = everything(tmp_path)
    out = tmp_path / "out.npy"
    assert main(["reduce", str(spoilt), str(out), "--method", method, "--spacing", "4"]) == 0
    source, result = np.load(spoilt), np.load(out)
    assert result.dtype == np.float32
    assert result.shape == source.shape
    assert np.array_equal(result[source > 5000], source[source > 5000])
    assert not np.array_equal(result, source)
    assert everything(tmp_path) == before | {"out.npy": everything(tmp_path)["out.npy"]}
    assert "1 of 1 slices changed" in capsys.readouterr().err


def test_a_default_pixel_size_is_said(spoilt, tmp_path, capsys):
    assert main(["reduce", str(spoilt), str(tmp_path / "out.npy"), "--method", "li"]) == 0
    assert "4 mm" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["IN", "OUT", "--method", "magic"], "no method 'magic'"),
        (["missing.npy", "OUT"], "missing.npy"),
        (["IN", "IN"], "in.npy"),
        (["IN", "OUT", "--spacing", "-1"], "spacing"),
        (["IN", "OUT.nii.gz"], "format"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(spoilt, tmp_path, capsys, arguments, why):
    before = everything(tmp_path)
    places = {"IN": str(spoilt), "OUT": str(tmp_path / "out.npy")}
    places["OUT.nii.gz"] = str(tmp_path / "out.nii.gz")
    assert main(["reduce", *(places.get(a, a) for a in arguments)]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert sum(line.startswith("unmetal reduce: ") for line in lines) == 1
    assert why in lines[-1]
    assert everything(tmp_path) == before


def test_an_output_is_replaced_only_when_told(spoilt, tmp_path):
    out = tmp_path / "out.npy"
    out.write_bytes(b"mine")
    command = ["reduce", str(spoilt), str(out), "--method", "li"]
    assert main(command) == 1
    assert out.read_bytes() == b"mine"
    assert main([*command, "--force"]) == 0
    assert np.load(out).shape == (96, 96)


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["reduce"], ["reduce", "a", "b", "--colour"]]
)
def test_wrong_arguments_are_exit_code_2(arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    capsys.readouterr()


@pytest.mark.recipe
def test_simulate_gives_the_slice_or_everything(tmp_path, capsys):
    rows, columns = np.mgrid[:512, :512]
    hu = np.where((rows - 256) ** 2 + (columns - 256) ** 2 < 180**2, 40, -1000).astype(np.float32)
    mask = (rows - 256) ** 2 + (columns - 200) ** 2 < 100
    np.save(tmp_path / "clean.npy", hu)
    np.savez(tmp_path / "masks.npz", masks=np.stack([np.zeros_like(mask), mask]))
    common = ["simulate", str(tmp_path / "clean.npy")]
    masks = ["--masks", f"{tmp_path}/masks.npz:1", "--metal", "fe", "--seed", "3"]
    assert main([*common, str(tmp_path / "a.npy"), *masks]) == 0
    assert main([*common, str(tmp_path / "a.npz"), *masks]) == 0
    image, known = np.load(tmp_path / "a.npy"), np.load(tmp_path / "a.npz")
    assert image.shape[-2:] == (256, 256)
    assert np.allclose(image, known["image"].reshape(image.shape))
    assert known["metal"].sum() == pytest.approx(mask.sum() / 4, rel=0.1)
    assert known["sinogram"].shape == known["trace"].shape == (1, 320, 197)
    assert known["image"].max() > 5000 > known["free"].max()
    assert "256 x 256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "no such file"), ("{", "not the config.json of a run"), ("{}", "not the config.json")],
)
def test_train_refuses_what_is_no_config_of_a_run(text, why, tmp_path, capsys):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    assert main(["train", str(path), "--data", "x", "--out", str(tmp_path / "run")]) == 1
    assert why in capsys.readouterr().err
