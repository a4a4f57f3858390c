"""Patients on one side each: who is withheld, who validates, which half is trained on."""

import numpy as np
import pytest

from unmetal.cohorts.splits import TEST, TRAIN, VALIDATION, Counts, in_halves, split


def total(counts, patients, where, kind):
    return sum(getattr(counts[p], kind) for p, one in patients.items() if one == where)


@pytest.mark.parametrize("seed", range(12))
def test_at_least_200_affected_slices_are_withheld_where_there_are_that_many(seed):
    draw = np.random.default_rng(seed)
    counts = {f"p{i}": Counts(int(draw.integers(1, 60)), 5) for i in range(40)}
    counts |= {f"q{i}": Counts(0, int(draw.integers(1, 60))) for i in range(40)}
    patients = split(counts, seed, 200)
    assert patients.keys() == counts.keys()
    assert 200 <= total(counts, patients, TEST, "affected") < 260
    for kind in ("affected", "clean"):
        assert total(counts, patients, TRAIN, kind) > total(counts, patients, VALIDATION, kind) > 0


def test_of_few_slices_a_fifth_is_withheld_and_training_never_starves():
    counts = {f"p{i}": Counts(10, 0) for i in range(10)}
    patients = split(counts, 0, 200)
    assert total(counts, patients, TEST, "affected") == 20
    assert total(counts, patients, VALIDATION, "affected") == 10
    assert split({"only": Counts(500, 0)}, 0, 200) == {"only": TRAIN}
    assert split({"a": Counts(150, 0), "b": Counts(151, 0)}, 0, 200) == {"a": TEST, "b": TRAIN}
    assert TEST not in split(counts, 0, 0).values()


def test_small_patients_are_withheld_first_as_in_the_released_code():
    counts = {f"large{i}": Counts(120, 0) for i in range(5)}
    counts |= {f"small{i}": Counts(50, 0) for i in range(5)}
    tested = [p for p, where in split(counts, 3, 200).items() if where == TEST]
    assert len(tested) == 4
    assert all(p.startswith("small") for p in tested)


def test_where_nothing_is_affected_clean_slices_are_withheld():
    counts = {f"p{i}": Counts(0, 9) for i in range(50)}
    patients = split(counts, 0, 200)
    assert total(counts, patients, TEST, "clean") == 207
    assert total(counts, patients, VALIDATION, "clean") >= 24


def test_the_seed_decides_and_names_do_not():
    counts = {f"p{i}": Counts(10 + i, 3) for i in range(30)}
    assert split(counts, 1, 100) == split(counts, 1, 100)
    assert split(counts, 1, 100) != split(counts, 2, 100)
    renamed = {f"x{i}": one for i, one in enumerate(counts.values())}
    assert [*split(renamed, 1, 100).values()] == [*split(counts, 1, 100).values()]


def test_who_has_both_kinds_goes_to_the_half_that_needs_him():
    many_clean = {"a": Counts(9, 9), "b": Counts(4, 9)} | {f"c{i}": Counts(0, 99) for i in range(5)}
    halves = in_halves(many_clean)
    assert halves["a"] == halves["b"] == "affected"
    assert {halves[f"c{i}"] for i in range(5)} == {"clean"}
    all_mixed = {f"m{i}": Counts(9, 9) for i in range(6)}
    assert sorted(in_halves(all_mixed).values()) == ["affected"] * 3 + ["clean"] * 3
