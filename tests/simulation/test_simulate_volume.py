"""Simulated volumes: what is drawn is repeated by its seed, at native size, and told."""

import json
from pathlib import Path

import numpy as np
import pytest

import unmetal
from unmetal.__main__ import main


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """HU `[2 H W]`: two slices that are not square, pixels of 4 mm."""
    y, x = np.mgrid[:72, :96]
    hu = np.where(np.hypot((x - 48) / 42, (y - 36) / 30) < 1, 40.0, -1000.0)
    hu[np.hypot(x - 48, y - 46) < 6] = 500
    return np.stack([hu, hu[:, ::-1]]).astype(np.float32)


@pytest.mark.parametrize("protocol", ["clinical", "cbct"])
def test_a_machine_scans_at_native_size_and_its_seed_repeats_it(body, protocol):
    def run(seed: int) -> dict[str, np.ndarray]:
        return unmetal.simulate(body, protocol=protocol, metal="steel", seed=seed, spacing=4.0)

    one, same, other = run(1), run(1), run(2)
    assert one["image"].shape == one["truth"].shape == one["free"].shape == body.shape
    for name, values in one.items():
        assert np.array_equal(values, same[name]), name
    assert one["settings"] != other["settings"]
    told = json.loads(str(one["settings"]))
    assert told["kvp"] in {80, 100, 120, 140}
    assert told["photons"] > 1000
    assert len(one["implants"]) == 2
    # The truth is the scan without metal or noise: near the slice, and nearer than the image.
    assert one["metal"].any()
    inside = np.hypot(np.arange(96) - 48, (np.arange(72) - 36)[:, None]) < 20
    error = [np.abs(one[k] - body)[:, inside].mean() for k in ("truth", "image")]
    assert error[0] < error[1]
    assert error[0] < 120


def test_a_mask_that_is_given_is_what_is_put_in(body):
    mask = np.zeros((72, 96), bool)
    mask[20:26, 30:34] = True
    done = unmetal.simulate(body, mask, protocol="clinical", metal="ti", spacing=4.0)
    assert np.array_equal(done["metal"][0], mask)
    assert done["implants"].tolist() == ["mask", "mask"]


@pytest.mark.recipe
def test_the_command_says_what_was_drawn_and_keeps_it(body, tmp_path: Path, capsys):
    np.save(tmp_path / "clean.npy", body)
    out = tmp_path / "out.npz"
    command = ["simulate", str(tmp_path / "clean.npy"), str(out), "--protocol", "cbct"]
    assert main([*command, "--metal", "cocr", "--seed", "5", "--spacing", "4"]) == 0
    said = capsys.readouterr().err
    with np.load(out) as known:
        settings = str(known["settings"])
        assert settings in said.replace("\n", "")
        assert known["image"].shape == body.shape
    assert "72 x 96" in said
