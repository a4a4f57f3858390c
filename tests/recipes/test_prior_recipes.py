"""The recipes of priornet, on two patients and a few steps: pairs, networks, weights."""

import csv
from pathlib import Path

import numpy as np
import prior_net
import prior_pairs
import pytest
import torch
from PIL import Image
from prior_net import Length, Settings

from unmetal.cohorts.pairs import Pair
from unmetal.errors import InputError
from unmetal.methods.prior_net import Config, PriorNet
from unmetal.weights.load import load_weights

SIZE = 96
VALIDATES = "TCGA-17-Z011"
PATIENTS = {"learns": "train", VALIDATES: "train", "tested": "test"}
STEPS = Length(steps=2)
SETTINGS = Settings(STEPS, STEPS, STEPS, segmenter_batch=2, batch=2, crop=64)
CONFIG = Config(width=8, levels=3, segmenter_width=8, size=64)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A trunk with a vertebra of three patients, one of whom is for testing; two blobs."""
    folder = tmp_path_factory.mktemp("source")
    down, right = (np.mgrid[:SIZE, :SIZE] - SIZE / 2) * 4.0
    hu = np.where((right / 160) ** 2 + (down / 110) ** 2 < 1, 40, -1000)
    hu[np.hypot(right, down - 50) < 25] = 500
    with (folder / "index.csv").open("w") as file:
        index = csv.writer(file)
        index.writerow(("file", "kind", "split", "set", "patient", "spacing_mm"))
        for patient, split in PATIENTS.items():
            index.writerow((f"{patient}.png", "clean", split, "drawn", patient, "4.0"))
            Image.fromarray((hu + 1024).astype(np.uint16)).save(folder / f"{patient}.png")
    (folder / "masks").mkdir()
    outlines = np.zeros((2, 256, 256), np.uint8)
    for corner in ((20, 20), (20, 230), (230, 120)):
        outlines[(slice(None), *corner)] = 1
    np.savez(folder / "masks" / "xcist_blobs_97x256.npz", shapes=outlines)
    return folder


@pytest.fixture(scope="module")
def pairs(source, tmp_path_factory) -> Path:
    """Three pairs to learn from, two to validate on, one of the other domain."""
    folder = tmp_path_factory.mktemp("pairs")
    prior_pairs.main(source, folder, count=3, seed=1, size=SIZE)
    prior_pairs.main(source, folder, count=2, seed=2, role="validation", size=SIZE)
    prior_pairs.main(source, folder, 1, seed=3, role="validation", domain="flat", size=SIZE)
    return folder


@pytest.mark.recipe
def test_patients_stay_in_their_role_and_none_is_for_testing(pairs) -> None:
    for path in pairs.glob("*.npz"):
        patient = Pair.load(path).info["patient"]
        assert patient == ("learns" if path.name.startswith("train") else VALIDATES)


@pytest.mark.recipe
def test_a_pair_is_the_same_whenever_it_is_drawn_and_is_drawn_once(source, pairs, tmp_path) -> None:
    prior_pairs.main(source, tmp_path, count=2, seed=1, size=SIZE)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (pairs / path.name).read_bytes()
    kept = tmp_path / "train_broad_1_00000.npz"
    kept.write_bytes(b"here already")
    prior_pairs.main(source, tmp_path, count=1, seed=1, size=SIZE)
    assert kept.read_bytes() == b"here already"


@pytest.mark.recipe
def test_blobs_of_metal_are_in_the_image_and_not_in_its_truth(pairs) -> None:
    (path,) = pairs.glob("validation_flat_*")
    pair = Pair.load(path)
    assert set(pair.info["kinds"]) == {"blob"}
    assert pair.share.max() > 110
    assert not pair.painted.any()
    assert pair.image.shape == pair.truth.shape == (SIZE, SIZE)
    inside = pair.share == pair.share.max()
    assert (pair.image[inside].astype(int) - pair.truth[inside]).min() > 1000


@pytest.mark.recipe
def test_all_stages_make_weights_that_load_and_are_not_repeated(pairs, tmp_path, capsys) -> None:
    card = prior_net.main(pairs, tmp_path, SETTINGS, CONFIG, CPU)
    method, stored = load_weights(tmp_path / "weights")
    assert isinstance(method, PriorNet)
    assert method.config == CONFIG
    assert card["samples_of_each"] == dict.fromkeys(("segmenter", "generator", "refiner"), 4)
    assert stored["pairs"] == {"train": 3, "validation": 2, "flat": 1}
    assert stored["patients"] == {
        "train": ["learns"],
        "validation": [VALIDATES],
        "flat": [VALIDATES],
    }
    for images in (scores["images"] for scores in stored["validation"].values()):
        assert list(images) == ["slice", "completed", "fitted", "prior", "refined"]
        assert all(np.isfinite(row["rmse_hu"]) for row in images.values())
        assert images["slice"]["harmed"] == 0
    fresh = PriorNet(CONFIG)
    for name in ("segmenter", "generator", "refiner"):
        last = method.get_submodule(name).last.weight
        assert (last != fresh.get_submodule(name).last.weight).any(), f"{name} has not learned"
    capsys.readouterr()
    again = prior_net.main(pairs, tmp_path, SETTINGS, CONFIG, CPU)
    assert again["validation"] == card["validation"]
    assert torch.equal(
        load_weights(tmp_path / "weights")[0].generator.last.weight, method.generator.last.weight
    )


def test_a_folder_without_pairs_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="no train_broad"):
        prior_net.main(tmp_path, tmp_path / "out", SETTINGS, CONFIG, CPU)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["0", "-3m", "soon", "m"])
def test_a_length_is_steps_or_minutes(text) -> None:
    assert Length.parse("1400") == Length(steps=1400)
    assert Length.parse("28m").used(7, 14 * 60) == 0.5
    with pytest.raises(ValueError, match=r"\S"):
        Length.parse(text)
