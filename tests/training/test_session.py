"""A whole training run on a cohort of drawn slices, from the command line."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from unmetal.__main__ import main
from unmetal.scan import Scan
from unmetal.training.presets import EXPERIMENTS
from unmetal.training.run_folder import RunFolder
from unmetal.weights import checkpoint, released
from unmetal.weights.load import load_method

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def run(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    arguments = ["train", "tiny", "--data", str(cohort), "--out", str(folder), "--device", "cpu"]
    assert main(arguments) == 0
    return folder


def lines(folder, kind):
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in log if kind in line]


def test_a_run_explains_itself(run):
    config = json.loads((run / "config.json").read_text())
    assert config["experiment"]["method"] == "adn"
    assert config["data"] == {"affected": ["a"], "clean": ["b"], "validation": ["c", "d"]}
    assert config["versions"]["torch"] == torch.__version__
    assert [line["samples"] for line in lines(run, "validation")] == [4, 8]
    assert len(list((run / "images").glob("*.png"))) == 2
    card = checkpoint.read_card(run / "weights")
    assert card["samples"] == 8
    assert card["validation"] == lines(run, "validation")[-1]["validation"]


def test_what_is_left_and_how_well_it_copies_is_logged(run):
    for line in lines(run, "validation"):
        assert line["validation"]["left"] > 0
        assert 0 < line["validation"]["copy"] < 60


def test_the_best_weights_stay_beside_the_last(run, tmp_path):
    found = [line["validation"]["psnr"] for line in lines(run, "validation")]
    card = checkpoint.read_card(run / "best")
    assert card["validation"]["psnr"] == max(found)
    kept = RunFolder(tmp_path)
    assert kept.is_best({"psnr": 20.0})
    checkpoint.save(tmp_path / "best" / "weights", {}, {"validation": {"psnr": 20.0}})
    assert not kept.is_best({"psnr": 20.0})
    assert kept.is_best({"psnr": 20.1})
    assert not kept.is_best({"near": 1.0})


def test_a_killed_run_goes_on_to_the_same_end(run, cohort, tmp_path):
    common = ["--data", str(cohort), "--device", "cpu"]
    halves = tmp_path / "halves"
    assert main(["train", "tiny", "--out", str(halves), "--minutes", "0", *common]) == 0
    assert torch.load(halves / "state.pt", weights_only=True)["seen"] == 2
    assert main(["train", "tiny", "--resume", str(halves), *common]) == 0
    ours, theirs = (checkpoint.load(folder / "weights")[0] for folder in (halves, run))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_an_autoencoder_is_a_start_and_its_samples_do_not_count(cohort, tmp_path):
    tiny = EXPERIMENTS["tiny"]
    copying = replace(tiny, method_config=replace(tiny.method_config, autoencoder=True))
    (tmp_path / "copy.json").write_text(json.dumps({"experiment": asdict(copying)}))
    common = ["--data", str(cohort), "--device", "cpu", "--minutes", "0"]
    first, then = tmp_path / "copy", tmp_path / "then"
    assert main(["train", str(tmp_path / "copy.json"), "--out", str(first), *common]) == 0
    assert lines(first, "validation")[-1]["samples"] == 2
    weights = ["--from", str(first / "weights")]
    assert main(["train", "tiny", "--out", str(then), *weights, *common]) == 0
    assert lines(then, "before")[0]["samples"] == 0
    assert lines(then, "validation")[-1]["samples"] == 2


def test_a_teacher_is_what_the_run_began_with_and_never_learns(run, cohort, tmp_path):
    tiny = EXPERIMENTS["tiny"]
    config = replace(tiny.method_config, distill=True, pasted=20.0)
    stage = replace(tiny, method_config=config, data=replace(tiny.data, scan_other=True))
    (tmp_path / "distill.json").write_text(json.dumps({"experiment": asdict(stage)}))
    arguments = ["--out", str(tmp_path / "out"), "--from", str(run / "weights")]
    common = ["--data", str(cohort), "--device", "cpu"]
    assert main(["train", str(tmp_path / "distill.json"), *arguments, *common]) == 0
    began, ended = (checkpoint.load(folder / "weights")[0] for folder in (run, tmp_path / "out"))
    generator = [name for name in began if name.startswith("generator.")]
    assert all(
        torch.equal(began[n], ended[n.replace("generator", "teacher", 1)]) for n in generator
    )
    assert not all(torch.equal(began[n], ended[n]) for n in generator)


def test_a_finished_run_is_left_alone(run, cohort, capsys):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", "tiny", "--data", str(cohort), "--resume", str(run)]) == 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    last = lines(run, "validation")[-1]["validation"]["psnr"]
    assert f"{last:.2f} dB" in capsys.readouterr().out


def test_a_run_is_a_method(run):
    scan = Scan(image=torch.rand(1, 1, 32, 32) * 0.5)
    (by_folder, _), (by_weights, _) = load_method(str(run)), load_method("adn", run / "weights")
    assert torch.equal(by_folder.reduce(scan), by_weights.reduce(scan))


def test_weights_are_listed_shown_and_verified(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(released, "RELEASED", tmp_path)
    state, card = checkpoint.load(run / "weights")
    checkpoint.save(tmp_path / "adn-syn" / "adn-syn", state, card)
    (tmp_path / "adn-syn" / "card.md").write_text("# all about it\n")
    assert main(["weights"]) == 0
    assert "adn-syn  adn, 8 samples" in capsys.readouterr().out
    assert main(["weights", "adn-syn"]) == 0
    assert "all about it" in capsys.readouterr().out
    assert main(["weights", "--verify"]) == 0
    assert "verified" in capsys.readouterr().out
    assert load_method("adn")[0].config.architecture.width == 4
    (path,) = (tmp_path / "adn-syn").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert main(["weights", "--verify"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_artifacts_are_transferred_between_files(run, tmp_path):
    draw = np.random.default_rng(0)
    np.save(tmp_path / "affected.npy", draw.normal(0, 300, (48, 48)).astype(np.float32))
    clean = draw.normal(0, 100, (2, 48, 48)).astype(np.float32)
    clean[0, 3, 3] = 2600
    np.save(tmp_path / "clean.npy", clean)
    paths = [str(tmp_path / name) for name in ("affected.npy", "clean.npy", "out.npy")]
    assert main(["transfer", *paths, "--weights", str(run), "--device", "cpu"]) == 0
    out = np.load(tmp_path / "out.npy")
    assert out.shape == clean.shape
    assert out[0, 3, 3] > 900, "what is above the window stays on top"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["train", "nothing", "--data", "x", "--out", "y"], "no experiment"),
        (["train", "tiny", "--data", "nowhere", "--out", "y"], "not a cohort"),
        (["train", "tiny", "--data", "x"], "say where"),
        (["weights", "nothing"], "no method 'nothing'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(arguments, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
