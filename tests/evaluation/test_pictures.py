"""Slices to look at: choose_cases by rule, kept as they were."""

import numpy as np
import torch

from unmetal.evaluation.cases import Clean, Pairs
from unmetal.evaluation.conditions import EvalConfig
from unmetal.evaluation.pictures import Pictures, choose_cases
from unmetal.evaluation.tables.rows import Case


def test_slices_are_spread_and_masks_go_from_the_largest_to_the_median() -> None:
    sizes = (3, 9, 1, 7, 5, 8, 2, 6, 4, 0)
    masks = np.zeros((10, 4, 4), bool)
    for mask, size in zip(masks, sizes, strict=True):
        mask.flat[:size] = True
    cases = Clean(np.zeros((100, 4, 4), np.float32), masks, ("a",) * 100)
    found = choose_cases(cases, EvalConfig())
    assert [case.slice for case in found] == ["0", "33", "66", "99"]
    assert [sizes[case.mask] for case in found] == [9, 8, 6, 5]
    one = Clean(cases.hu[:2], masks[:1], ("a", "b"))
    assert choose_cases(one, EvalConfig()) == (Case("0", 0), Case("1", 0))
    nothing = np.zeros((2, 4, 4))
    pairs = Pairs(nothing, nothing, nothing > 0, nothing > 0, np.ones(2), ("x", "y"))
    assert choose_cases(pairs, EvalConfig()) == (Case("x"), Case("y"))
    drawn = choose_cases(one, EvalConfig(protocol="clinical"))
    assert drawn == (Case("0", 0), Case("1", 0)), "a machine draws its own metal"


def test_what_is_kept_comes_back_and_what_is_not_wanted_is_not_kept(tmp_path) -> None:
    first, second = Case("0", 3), Case("dev_hip", 0)
    pictures = Pictures((first, second))
    hu = torch.tensor([[-1000.0, 40.25], [1500.0, 13_000.0]])
    pictures.keep(first, {"input": hu, "a b": hu + 1, "truth": hu})
    pictures.keep(second, {"input": hu})
    pictures.keep(Case("0", 4), {"input": hu, "other": hu})
    pictures.save(tmp_path / "pictures.npz")
    again = Pictures.load(tmp_path / "pictures.npz")
    assert again.wanted == (first, second)
    assert {name: set(some) for name, some in again.hu.items()} == {
        **{"input": {first, second}, "a b": {first}, "truth": {first}}
    }
    for case in again.hu["input"]:
        assert np.abs(again.hu["input"][case] - hu.numpy()).max() <= 4
