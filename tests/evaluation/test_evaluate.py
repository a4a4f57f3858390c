"""Evaluation: the rows are those of the protocol, and the order of the methods is sane."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.errors import InputError
from unmetal.evaluation.cases import Clean, Pairs
from unmetal.evaluation.conditions import EvalConfig, evenly_spaced
from unmetal.evaluation.evaluate import evaluate
from unmetal.evaluation.given_slices import dice
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.tables.rows import Case
from unmetal.methods import build
from unmetal.methods.method import Method
from unmetal.scan import Scan


def phantom(size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] / size
    hu = np.full((size, size), -1000, np.float32)
    hu[((rows - 0.5) / 0.3) ** 2 + ((columns - 0.5) / 0.4) ** 2 < 1] = 40
    hu[(rows - 0.65) ** 2 + (columns - 0.5) ** 2 < 0.05**2] = 700
    return hu


MASKS = np.zeros((2, 512, 512), dtype=bool)
MASKS[0, 240:252, 200:212] = MASKS[1, 240:244, 200:204] = True


class Given(Method):
    """Gives back what it is given, and remembers it."""

    def __init__(self, *inputs: str) -> None:
        super().__init__()
        self.inputs = frozenset({"image", *inputs})  # type: ignore[misc]
        self.seen: list[Scan] = []

    def reduce(self, scan: Scan) -> Tensor:
        self.seen.append(scan)
        return scan.image


def of(rows: list, name: str, metric: str = "psnr") -> list:
    return [row[metric] for row in rows if row["method"] == name]


@pytest.mark.recipe
def test_rows_are_methods_by_slices_by_masks():
    cases = Clean(np.stack([phantom(256)] * 2), MASKS, ("a", "b"))
    methods = {name: build(name) for name in ("li", "nmar")}
    rows = list(evaluate(methods, cases))
    names = ["input", "li", "nmar", "ceiling"]
    assert len(rows) == 4 * 2 * 2
    assert {row["method"] for row in rows} == set(names)
    assert {row["mask_px"] for row in rows} == {36, 4}
    means = [np.mean(of(rows, name)) for name in names]
    assert means == sorted(means)
    assert {name for name in names if "seconds" in rows[2 * names.index(name)]} == {"li", "nmar"}
    for row in (rows, again := list(evaluate(methods, cases))):
        for one in row:
            one.pop("seconds", None)
    assert rows == again, "the same seed gave other noise"


@pytest.mark.recipe
def test_half_the_resolution_is_given_to_those_who_learned_at_it():
    cases = Clean(phantom(256)[None], MASKS, ("a",))
    image, sinogram, metal = Given(), Given("sinogram"), Given("metal")
    methods = {"image": image, "sinogram": sinogram, "metal": metal}
    config, pictures = EvalConfig(downsample=2), Pictures((Case("0", 1),))
    rows = list(evaluate(methods, cases, config, pictures=pictures))
    assert image.seen[0].image.shape[-1] == metal.seen[0].image.shape[-1] == 128
    assert sinogram.seen[0].image.shape[-1] == 256
    assert image.seen[0].sinogram is None
    # What changes nothing scores as the input does, wherever it is averaged.
    for name in methods:
        assert of(rows, name) == pytest.approx(of(rows, "input"), abs=1e-4)
    # A pixel is metal where any of its block is.
    small, whole = metal.seen[0].metal, sinogram.seen[0].metal
    assert torch.equal(small, functional.max_pool2d(whole.float(), 2) > 0)
    assert {row["mask_px"] for row in rows} == {36, 4}
    assert of(rows, "ceiling") > of(list(evaluate({}, cases)), "ceiling"), "averaging takes noise"
    truth = pictures.hu["truth"][Case("0", 1)]
    assert truth == pytest.approx(phantom(256).reshape(128, 2, 128, 2).mean((1, 3)), abs=1)


@pytest.mark.recipe
def test_some_slices_have_the_rows_that_they_have_among_all():
    cases = Clean(np.stack([phantom(256)] * 3), MASKS[:1], ("a", "b", "b"))
    rows, some = (list(evaluate({}, cases, EvalConfig(slices=n))) for n in (None, 2))
    assert some == [row for row in rows if row["slice"] in {0, 2}]


def test_some_are_spread_evenly_over_all():
    assert evenly_spaced(100, 4) == [0, 33, 66, 99]
    assert set(evenly_spaced(100, 4)) < set(evenly_spaced(100, 10))
    assert set(evenly_spaced(56, 4)) < set(evenly_spaced(56, 10))
    assert evenly_spaced(5, 1) == [0]
    assert evenly_spaced(3, None) == evenly_spaced(3, 8) == [0, 1, 2]


def test_pairs_have_a_resolution_of_their_own():
    nothing = np.zeros((1, 8, 8), np.float32)
    cases = Pairs(nothing, nothing, nothing > 0, nothing > 0, np.array([1.0]), ("one",))
    with pytest.raises(InputError, match="--downsample"):
        list(evaluate({}, cases, EvalConfig(downsample=2)))


@pytest.mark.recipe
def test_pairs_go_through_what_a_user_gets():
    clean = phantom(128)
    metal = np.zeros((128, 128), dtype=bool)
    metal[60:66, 40:46] = True
    body = clean > -500
    affected = np.where(metal, np.float32(8000), clean)
    affected[63, 46:110] += 400
    spacing = np.array([3.0])
    cases = Pairs(affected[None], clean[None], metal[None], body[None], spacing, ("one",))
    pictures = Pictures((Case("one"),))
    found = evaluate({"li": build("li")}, cases, pictures=pictures)
    rows = {str(row["method"]): row for row in found}
    assert set(rows) == {"input", "li", "li, true mask"}
    assert set(pictures.hu) == {"input", "li", "truth"}
    assert rows["li"]["seconds"] > 0
    assert rows["input"]["dice"] == 1
    assert rows["input"]["rmse_hu"] == pytest.approx(
        np.sqrt(((np.clip(affected, -1000, 2000) - clean)[body & ~near(metal)] ** 2).mean()),
        rel=1e-5,
    )


def near(mask: np.ndarray) -> np.ndarray:
    from unmetal.physics.derive import dilate  # noqa: PLC0415

    return dilate(torch.from_numpy(mask)[None, None], 2)[0, 0].numpy()


def test_dice():
    a, b = np.array([1, 1, 0], bool), np.array([1, 0, 0], bool)
    assert dice(a, b) == pytest.approx(2 / 3)
    assert dice(a, a) == 1
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1
    assert dice(a, ~a) == 0
