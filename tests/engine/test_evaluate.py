"""Evaluation: the rows are those of the protocol, and the order of the methods is sane."""

import numpy as np
import pytest
import torch

from unmetal.data.cases import Clean, Pairs, load_cases, load_masks
from unmetal.engine.evaluate import dice, evaluate
from unmetal.errors import InputError
from unmetal.methods import load


def phantom(size: int) -> np.ndarray:
    rows, columns = np.mgrid[:size, :size] / size
    hu = np.full((size, size), -1000, np.float32)
    hu[((rows - 0.5) / 0.3) ** 2 + ((columns - 0.5) / 0.4) ** 2 < 1] = 40
    hu[(rows - 0.65) ** 2 + (columns - 0.5) ** 2 < 0.05**2] = 700
    return hu


@pytest.mark.recipe
def test_rows_are_methods_by_slices_by_masks():
    masks = np.zeros((2, 512, 512), dtype=bool)
    masks[0, 240:252, 200:212] = masks[1, 240:244, 200:204] = True
    cases = Clean(np.stack([phantom(256)] * 2), masks, ("a", "b"))
    methods = {name: load(name) for name in ("li", "nmar")}
    rows = list(evaluate(methods, cases))
    names = ["input", "li", "nmar", "ceiling"]
    assert len(rows) == 4 * 2 * 2
    assert {row["method"] for row in rows} == set(names)
    assert {row["mask_px"] for row in rows} == {36, 4}
    means = [np.mean([row["psnr"] for row in rows if row["method"] == name]) for name in names]
    assert means == sorted(means)
    assert rows == list(evaluate(methods, cases)), "the same seed gave other noise"


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
    rows = {str(row["method"]): row for row in evaluate({"li": load("li")}, cases)}
    assert set(rows) == {"input", "li", "li, true mask"}
    assert rows["input"]["dice"] == 1
    assert rows["input"]["rmse_hu"] == pytest.approx(
        np.sqrt(((np.clip(affected, -1000, 2000) - clean)[body & ~near(metal)] ** 2).mean()),
        rel=1e-5,
    )


def near(mask: np.ndarray) -> np.ndarray:
    from unmetal.metrics.protocol import dilate  # noqa: PLC0415

    return dilate(torch.from_numpy(mask)[None, None], 2)[0, 0].numpy()


def test_dice():
    a, b = np.array([1, 1, 0], bool), np.array([1, 0, 0], bool)
    assert dice(a, b) == pytest.approx(2 / 3)
    assert dice(a, a) == 1
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1
    assert dice(a, ~a) == 0


def test_test_sets_are_read_as_they_are_documented(tmp_path):
    hu = np.arange(2 * 16 * 16).reshape(2, 16, 16).astype(np.int16)
    masks = np.zeros((3, 8, 8), dtype=bool)
    (tmp_path / "masks").mkdir()
    np.savez(tmp_path / "deeplesion_test_256.npz", hu_x4=hu)
    np.savez(tmp_path / "masks" / "cnnmar_test_10x512.npz", masks=masks)
    cases = load_cases(tmp_path)
    assert isinstance(cases, Clean)
    assert np.array_equal(cases.hu, hu / 4)
    mask = hu > 100
    packed = np.packbits(mask, axis=-1)
    pairs = {"ma_x4": hu, "clean_x4": hu, "mask": packed, "body": packed}
    np.savez(tmp_path / "pairs.npz", **pairs, spacing=[1.0, 2.0], names=["a", "b"])
    cases = load_cases(tmp_path / "pairs.npz")
    assert isinstance(cases, Pairs)
    assert np.array_equal(cases.metal, mask)
    assert cases.names == ("a", "b")


def test_test_sets_that_are_none_are_named(tmp_path):
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", x=1)
    for path, why in (
        (tmp_path, "no such file"),
        (tmp_path / "text.npz", "not a file of arrays"),
        (tmp_path / "other.npz", "no ma_x4"),
    ):
        with pytest.raises(InputError, match=why) as caught:
            load_cases(path)
        assert "\n" not in str(caught.value)


def test_masks_come_from_arrays_and_images(tmp_path):
    from PIL import Image  # noqa: PLC0415

    masks = np.random.default_rng(0).random((3, 8, 8)) > 0.5
    np.savez(tmp_path / "m.npz", masks=masks)
    assert np.array_equal(load_masks(str(tmp_path / "m.npz")), masks)
    assert np.array_equal(load_masks(f"{tmp_path}/m.npz:2"), masks[2:])
    Image.fromarray((masks[0] * 255).astype(np.uint8)).save(tmp_path / "m.png")
    assert np.array_equal(load_masks(str(tmp_path / "m.png")), masks[:1])
    for where, why in ((f"{tmp_path}/m.npz:3", "no mask 3"), (f"{tmp_path}/x.npz", "no such file")):
        with pytest.raises(InputError, match=why):
            load_masks(where)
