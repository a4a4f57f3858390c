"""Training on prepared cohorts: unpaired, and with metal put into clean slices."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from archives import deeplesion, hospital, slice_of

from unmetal.__main__ import main
from unmetal.cohorts.cohort import SliceTransform
from unmetal.cohorts.preparation.prepare import prepare
from unmetal.cohorts.preparation.request import Request
from unmetal.cohorts.prepared import Prepared
from unmetal.cohorts.unpaired import Config, Unpaired, render
from unmetal.errors import InputError
from unmetal.methods import adn
from unmetal.methods.method import Method
from unmetal.nets.adn import Architecture
from unmetal.training import loop
from unmetal.training.presets import EXPERIMENTS
from unmetal.training.validation import UnpairedValidator, regions
from unmetal.units import hu_to_mu
from unmetal.weights import checkpoint
from unmetal.weights.load import load_method

TINY = adn.Config(Architecture(width=4, residuals=1, discriminator_width=4))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Five patients with a rod, five without, three slices each."""
    root = tmp_path_factory.mktemp("clinical")
    prepare(
        Request(hospital(root / "in", affected=5, clean=5, PixelSpacing=[6.0, 6.0])),
        root / "out",
        jobs=0,
    )
    return root / "out"


def tiny(name: str, folder, samples: int = 40):
    """A preset at a width that takes seconds, as a run's config.json."""
    training = loop.Config(samples=samples, batch=2, validate_every=20, ema_decay=0.9)
    preset = replace(EXPERIMENTS[name], training=training, data=Config(downsample=4))
    preset = replace(preset, method_config=TINY)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"experiment": asdict(preset)}))
    return str(path)


# ---------------------------------------------------------------------------- samples


def test_no_withheld_patient_is_drawn_and_halves_share_none(cohort):
    prepared = Prepared.load(cohort)
    samples = Unpaired(prepared, Config(), seed=1)
    drawn = [samples.choose(index) for index in range(200)]
    affected = {prepared.patient[one.slice] for one, _ in drawn}
    clean = {prepared.patient[other.slice] for _, other in drawn}
    assert not affected & clean
    trained = set(prepared.patient[prepared.split == "train"].tolist())
    assert affected | clean == trained
    assert len(trained) < 10
    assert {prepared.decision[one.slice] for one, _ in drawn} == {"affected"}
    assert {prepared.decision[other.slice] for _, other in drawn} == {"clean"}


def test_flips_are_drawn_for_each_slice_alone(cohort):
    drawn = [Unpaired(Prepared.load(cohort), Config(), seed=1).choose(i) for i in range(100)]
    both = [(one.flip, other.flip) for one, other in drawn]
    assert all(both.count(case) > 10 for case in [(a, b) for a in (0, 1) for b in (0, 1)])
    still = Unpaired(Prepared.load(cohort), Config(flip=False), seed=1)
    assert not any(one.flip for index in range(20) for one in still.choose(index))


def test_the_same_sample_whenever_it_is_asked_for(cohort):
    prepared = Prepared.load(cohort)
    one, other = (Unpaired(prepared, Config(), seed=5)(first, 2) for first in (6, 6))
    assert torch.equal(one.image, other.image)
    assert torch.equal(one.other, other.other)
    later = Unpaired(prepared, Config(), seed=5)(7, 1)
    assert torch.equal(later.image[0], one.image[1]), "whatever the batch"
    assert one.clean is None
    assert one.image.shape == (2, 1, 256, 256)


def test_a_slice_is_rendered_in_its_units_mirrored_and_coarser(cohort):
    prepared = Prepared.load(cohort)
    hu = torch.from_numpy(np.array(prepared.slice(3))).float()
    plain = render(prepared, [SliceTransform(3)]).image[0, 0]
    assert torch.equal(plain, hu_to_mu(hu))
    assert torch.equal(render(prepared, [SliceTransform(3, flip=True)]).image[0, 0], plain.flip(-1))
    coarse = render(prepared, [SliceTransform(3)], 2).image[0, 0]
    assert coarse.shape == (128, 128)
    assert coarse.mean().item() == pytest.approx(plain.mean().item())


def test_a_patient_with_many_slices_does_not_take_over():
    count = np.repeat(["a", "b"], [90, 10])
    kinds = np.concatenate([["affected"] * 100, ["clean"]])
    many = Prepared(
        (np.zeros((101, 4, 4), np.int16),),
        patient=np.append(count, "c"),
        decision=kinds,
        split=np.array(["train"] * 101),
        pixel=np.ones(101, np.float32),
    )
    slices, weights = Unpaired(many, Config(), 0).slices["affected"]
    assert weights[slices < 90].sum() == pytest.approx(0.75)
    _, even = Unpaired(many, Config(by_patient=False), 0).slices["affected"]
    assert np.allclose(even, 0.01)


# ---------------------------------------------------------------------------- validation


class Same(Method):
    """Gives back what it got."""

    def reduce(self, scan):
        return scan.image


class Grey(Method):
    """Makes everything look alike."""

    def reduce(self, scan):
        return 0.5 * scan.image + 0.1


def test_near_and_far_are_measured_where_they_say():
    hu = np.full((128, 128), -1000.0)
    hu[8:120, 8:120] = 40
    hu[60:64, 20:24] = 3000
    near, far = regions(hu, 1.0)
    row = near[62]
    assert not row[18:27].any(), "closer than 5 mm is metal's own blur"
    assert row[30:60].all()
    assert not row[66:].any()
    assert far[62, 70:115].all()
    assert not (near & far).any()
    none, everywhere = regions(np.where(hu > 2000, 40, hu), 1.0)
    assert not none.any()
    assert everywhere.sum() >= 100 * 100


def test_validation_without_truth_needs_both_numbers(cohort):
    judge = UnpairedValidator(Prepared.load(cohort), Config(), torch.device("cpu"))
    assert judge.before["far"] == 0
    assert 9 < judge.before["near"] < 90
    assert judge(Same()) == pytest.approx({"near": judge.before["near"], "far": 0}, abs=1)
    grey = judge(Grey())
    assert grey["far"] > 3, "it shows here"
    assert grey["near"] < judge.before["near"], "it looks like a success there"
    rows = judge.pictures(Grey(), 2)
    assert [row.shape for row in rows] == [(2, 1, 256, 256)] * 3
    assert all(row.min() >= 0 and row.max() <= 1 for row in rows)
    assert (judge.pictures(Same(), 1)[2] - 0.5).abs().max() < 1


# ---------------------------------------------------------------------------- runs


@pytest.mark.recipe
def test_twenty_steps_on_a_prepared_cohort(cohort, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["train", tiny("adn-cl1", tmp_path), "--data", str(cohort), "--out", str(run)]
    assert main([*arguments, "--device", "cpu"]) == 0
    assert "HU uneven near metal" in capsys.readouterr().out
    card = checkpoint.read_card(run / "weights")
    assert card["samples"] == 40
    assert card["validation"].keys() == card["before"].keys() == {"near", "far"}
    assert json.loads((run / "config.json").read_text())["data"] == Prepared.load(cohort).patients()
    assert len(list((run / "images").glob("*.png"))) == 2
    method, _ = load_method(str(run))
    assert method.reduce(Unpaired(Prepared.load(cohort), Config(), 0)(0, 1)).shape[-1] == 256


@pytest.mark.parametrize(("name", "weight"), [("adn-cl1", 20), ("adn-cl2", 5)])
def test_presets_have_the_weights_of_the_paper(name, weight):
    for preset in (EXPERIMENTS[name], EXPERIMENTS[f"{name}-small"]):
        found = preset.method_config
        assert (found.recon, found.cycle, found.artifact) == (weight,) * 3
        assert isinstance(preset.data, Config)
    assert EXPERIMENTS[f"{name}-small"].data.downsample == 2


@pytest.mark.recipe
def test_metal_is_put_into_the_clean_slices_of_deeplesion(tmp_path, capsys):
    tree = {
        f"00000{p}_01_01/{n:03}.png": slice_of(seed=10 * p + n) for p in range(8) for n in (1, 2)
    }
    request = Request(deeplesion(tmp_path / "DL", tree), kind="deeplesion", every=1)
    prepare(request, tmp_path / "out", jobs=0)
    masks = np.zeros((2, 64, 64), bool)
    masks[0, 28:34, 20:26] = masks[1, 30:33, 40:44] = True
    np.savez(tmp_path / "masks.npz", masks=masks)
    common = ["train", "tiny", "--data", str(tmp_path / "out"), "--out", str(tmp_path / "run")]
    assert main([*common, "--device", "cpu"]) == 1
    assert "--shapes" in capsys.readouterr().err
    assert (
        main(
            [*common, "--device", "cpu", "--shapes", str(tmp_path / "masks.npz"), "--samples", "2"]
        )
        == 0
    )
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    patients = [one for who in config["data"].values() for one in who]
    assert len(patients) == len(set(patients))
    withheld = Prepared.load(tmp_path / "out").patients()["test"]
    assert withheld
    assert not set(withheld) & set(patients)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["adn-cl1", "--data", "nowhere"], "not a prepared cohort"),
        (["adn-cl1", "--data", "few"], "no affected slices for validation"),
        (["tiny", "--data", "few", "--shapes", "nowhere.npz"], "no shapes of metal"),
    ],
)
def test_what_cannot_be_trained_on_is_said(tmp_path, monkeypatch, capsys, arguments, reason):
    monkeypatch.chdir(tmp_path)
    request = Request(hospital(tmp_path / "in", affected=1, clean=1))
    prepare(request, tmp_path / "few", jobs=0)
    assert main(["train", *arguments, "--out", "run", "--device", "cpu"]) == 1
    assert reason in capsys.readouterr().err


def test_a_cohort_that_lost_a_shard_is_refused(cohort, tmp_path):
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort.json").write_text("{}")
    (tmp_path / "cohort" / "slices.npz").write_bytes((cohort / "cohort/slices.npz").read_bytes())
    with pytest.raises(InputError, match="slices are missing"):
        Prepared.load(tmp_path)
