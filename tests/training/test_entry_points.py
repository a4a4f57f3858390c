"""Methods and experiments of other packages, by entry points."""

import sys

import numpy as np
import pytest

from unmetal.__main__ import main

PACKAGE = '''
"""A method of another package."""
from dataclasses import dataclass
from torch import nn
from unmetal.methods.method import Method
from unmetal.training.experiment import Experiment
from unmetal.training.loop import Config as Training

@dataclass(frozen=True)
class Config:
    gain: float = 1.0

class Brighter(Method):
    train_inputs = frozenset({"image", "clean"})

    def __init__(self, config=None):
        super().__init__()
        self.config = config or Config()
        self.generator = nn.Conv2d(1, 1, 1)
        nn.init.ones_(self.generator.weight)
        nn.init.zeros_(self.generator.bias)

    def reduce(self, scan):
        return self.config.gain * self.generator(scan.image)

    def training_step(self, scan):
        yield "generator", {"l1": (self.reduce(scan) - scan.clean).abs().mean()}

SYN = Experiment("brighter, on pairs", "brighter", Config(), training=Training(samples=4))
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a method and an experiment, as pip would leave it."""
    (tmp_path / "brighter_mar.py").write_text(PACKAGE)
    about = tmp_path / "brighter_mar-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: brighter-mar\nVersion: 1.0\nSummary: multiplies by a gain\n"
    )
    (about / "entry_points.txt").write_text(
        "[unmetal.methods]\nbrighter = brighter_mar:Brighter\n"
        "[unmetal.experiments]\nbrighter-syn = brighter_mar:SYN\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("brighter_mar", None)


def test_another_package_brings_a_method(package, capsys) -> None:
    assert main(["methods"]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split(maxsplit=1) == ["brighter", "multiplies by a gain"]
    assert "brighter_mar" not in sys.modules, "nothing is imported to list it"
    np.save(package / "in.npy", np.zeros((16, 16), np.float32))
    paths = [str(package / name) for name in ("in.npy", "out.npy")]
    assert main(["reduce", *paths, "--method", "Brighter"]) == 1
    assert "unmetal train EXPERIMENT --data COHORT" in capsys.readouterr().err


@pytest.mark.recipe
def test_a_method_of_another_package_is_trained_and_used(package, cohort, capsys) -> None:
    run = str(package / "run")
    command = ["train", "brighter-syn", "--data", str(cohort), "--out", run, "--device", "cpu"]
    assert main(command) == 0
    hu = np.zeros((64, 64), np.float32)
    hu[30:34, 30:34] = 5000
    np.save(package / "in.npy", hu)
    paths = [str(package / name) for name in ("in.npy", "out.npy")]
    assert main(["reduce", *paths, "--method", "brighter", "--weights", run]) == 0
    assert not np.array_equal(np.load(package / "out.npy"), hu)
    assert main(["train", "nothing", "--data", "x", "--out", "y"]) == 1
    assert "adn-syn, " in (said := capsys.readouterr().err)
    assert "brighter-syn" in said
