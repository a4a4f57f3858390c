"""Every learned method goes through the one loop, from the command line, and back into `reduce`."""

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from unmetal.__main__ import main
from unmetal.methods import METHODS
from unmetal.nets.adn import Architecture
from unmetal.training.presets import EXPERIMENTS
from unmetal.weights.load import released

pytestmark = pytest.mark.recipe

LEARNED = {name: entry.weights for name, entry in METHODS.items() if entry.weights}

STEPS = 20


def narrow(method_config):
    """The method's configuration with next to no channels."""
    if "architecture" in {field.name for field in fields(method_config)}:
        return replace(
            method_config, architecture=Architecture(width=2, residuals=1, discriminator_width=2)
        )
    widths = {
        f.name: 4 for f in fields(method_config) if f.name in {"width", "discriminator_width"}
    }
    return replace(method_config, **widths)


@pytest.fixture(scope="module")
def rods(tmp_path_factory):
    """A disc of muscle with two rods of metal, 96 x 96, and streaks between them."""
    y, x = np.mgrid[:96, :96] - 48
    hu = np.where(np.hypot(x, y) < 40, 40, -1000).astype(np.float32)
    hu[(np.abs(y) < 2) & (np.abs(x) < 20)] -= 300
    hu[y**2 + (np.abs(x) - 20) ** 2 < 9] = 5000
    path = tmp_path_factory.mktemp("rods") / "rods.npy"
    np.save(path, hu)
    return path


@pytest.mark.parametrize("name", LEARNED)
def test_twenty_steps_and_a_slice(name, cohort, rods, tmp_path, capsys):
    preset = EXPERIMENTS[f"{LEARNED[name]}-small"]
    batch = preset.training.batch
    training = replace(preset.training, samples=STEPS * batch, validate_every=STEPS * batch)
    tiny = replace(preset, method_config=narrow(preset.method_config), training=training)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"experiment": asdict(tiny)}))
    run = tmp_path / "run"
    command = ["train", str(config), "--data", str(cohort), "--out", str(run), "--device", "cpu"]
    assert main(command) == 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert log[-1]["samples"] == STEPS * batch
    assert all(np.isfinite(list(log[-1]["validation"].values())))
    out = tmp_path / "out.npy"
    assert main(["reduce", str(rods), str(out), "--method", str(run), "--spacing", "3"]) == 0
    before, after = np.load(rods), np.load(out)
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)
    assert np.array_equal(after[before > 4000], before[before > 4000])


@pytest.mark.parametrize("name", [name for name in LEARNED if LEARNED[name] not in released()])
def test_without_weights_one_line_says_how_to_get_them(name, rods, tmp_path, capsys):
    assert main(["reduce", str(rods), str(tmp_path / "out.npy"), "--method", name]) == 1
    losses = capsys.readouterr().err
    assert losses.count("\n") == 1
    assert f"unmetal train {LEARNED[name]}" in losses
    assert not (tmp_path / "out.npy").exists()
