"""The eight AAPM metrics: 0 for what is perfect, and each fault moves its own."""

import math

import numpy as np
import pytest
from faults import METAL_HU, faults
from slices import Slice, chest, phantom

from unmetal.metrics.aapm import BREAKS, aapm, extremes, integrity, score
from unmetal.metrics.regions import choose_regions

METRICS = ["ct_number", "noise", "sharpness", "streak", "similarity", "metal", "bone", "proton"]

OWN = {
    "offset of 20 HU": {"ct_number": 20, "proton": 0.01},
    "noise of 20 HU": {"ct_number": 15, "noise": 5, "streak": 50},
    "blur of 1 px": {"sharpness": 0.15, "ct_number": 10, "bone": 0.05},
    "streaks of 120 HU": {"streak": 150, "ct_number": 10},
    "half the bone lost": {"bone": 0.1, "ct_number": 5},
    "implant 1 px smaller": {"metal": 0.1},
}
"""The least that a fault must move: its own metric first, and CT number, which sees everything."""

LITTLE = {
    "ct_number": 0.0,
    "noise": 0.5,
    "sharpness": 0.1,
    "streak": 12.0,
    "similarity": 0.06,
    "metal": 0.0,
    "bone": 0.06,
    "proton": 0.006,
}
"""The most that a fault may move a metric that is not in its line of `OWN` or `ALSO`."""

ALSO = {
    ("offset of 20 HU", "bone"),  # cancellous bone lies just below 150 HU
    ("streaks of 120 HU", "noise"),  # the phantom is small: streaks reach all of it
    ("streaks of 120 HU", "bone"),
    ("streaks of 120 HU", "proton"),
    ("half the bone lost", "sharpness"),  # with a bone its edge is lost
    ("half the bone lost", "proton"),  # and what it would have stopped
    ("blur of 1 px", "proton"),  # the skin reaches farther
    ("blur of 1 px", "streak"),  # what is taken from the truth's own noise is an error
}
"""What moves because it must: the measure is that of the challenge."""


def moved(one: Slice) -> dict[str, dict[str, float]]:
    regions = choose_regions(*one)
    truth = np.where(one.metal, METAL_HU, one.truth)
    wrong = faults(one.truth, regions, np.random.default_rng(0))
    return {name: aapm(hu, truth, regions) for name, hu in wrong.items()}


def check(found: dict[str, dict[str, float]]) -> None:
    assert found["none"] == dict.fromkeys(METRICS, 0.0)
    for fault, least in OWN.items():
        for metric in METRICS:
            value = found[fault][metric]
            if metric in least:
                assert value >= least[metric], (fault, metric)
            elif (fault, metric) not in ALSO and metric != "ct_number":
                assert value <= LITTLE[metric], (fault, metric)


def test_what_is_perfect_is_0_and_each_fault_moves_its_own() -> None:
    found = moved(phantom())
    check(found)
    # Without noise in the truth, that of the result is what was added.
    assert found["noise of 20 HU"]["noise"] == pytest.approx(20, rel=0.15)
    assert found["offset of 20 HU"]["ct_number"] == pytest.approx(20)
    for fault in ("offset of 20 HU", "half the bone lost", "implant 1 px smaller"):
        assert found[fault]["streak"] == pytest.approx(0, abs=1e-6)
        assert found[fault]["noise"] == pytest.approx(0, abs=1e-6)


def test_so_it_is_on_a_real_slice(reference) -> None:
    check(moved(chest(reference)))


def test_metal_that_is_smaller_or_larger_is_counted_by_area_and_overlap() -> None:
    true = np.zeros((20, 20), bool)
    true[5:15, 5:15] = True
    half = true.copy()
    half[:, 10:] = False
    assert integrity(true, true) == 0
    assert integrity(half, true) == pytest.approx((0.5 + 1 - 2 * 50 / 150) / 2)
    assert integrity(~true, true) == pytest.approx((2 + 1) / 2)
    assert math.isnan(integrity(true, ~true & true))


def test_a_streak_is_the_extremes() -> None:
    values = np.zeros(100)
    values[:5], values[5:10] = 30, -50
    assert extremes(np.random.default_rng(0).permutation(values)) == 80
    assert extremes(values + 7) == 80
    assert math.isnan(extremes(values[:0]))


def test_an_empty_region_is_not_a_number() -> None:
    one = phantom()
    lung = np.where(one.truth > 20, np.float32(-800), one.truth)
    regions = choose_regions(lung, one.metal, one.body, one.pixel)
    found = aapm(lung, lung, regions)
    assert math.isnan(found["noise"])
    assert math.isnan(found["bone"])
    assert found["ct_number"] == 0


def test_scores_are_those_of_the_challenge() -> None:
    assert [score("ct_number", hu) for hu in (0, 15, 22.5, 60, 500)] == [0, 1, 1.5, 4, 4]
    assert score("proton", 0.01) == pytest.approx(2)
    assert score("sharpness", 1 - 0.85) == pytest.approx(2)
    assert score("similarity", 1 - 0.97) == pytest.approx(3)
    assert math.isnan(score("streak", 10))
    assert math.isnan(score("proton", math.nan))
    assert all(list(breaks) == sorted(breaks) and breaks[0] == 0 for breaks in BREAKS.values())
