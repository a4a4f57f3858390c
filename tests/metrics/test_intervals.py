"""The bootstrap over patients."""

import numpy as np
import pytest

from unmetal.metrics.intervals import bootstrap


def test_the_mean_is_the_mean_of_all_values() -> None:
    interval = bootstrap([1, 2, 3, 10], ["a", "a", "a", "b"])
    assert interval.mean == 4
    assert interval.low == 2
    assert interval.high == 10


def test_one_patient_says_nothing_about_others() -> None:
    interval = bootstrap([1, 2, 3], ["a", "a", "a"])
    assert interval.low == interval.mean == interval.high == 2


def test_copies_of_a_slice_do_not_make_it_surer() -> None:
    values = np.random.default_rng(0).normal(size=20)
    once = bootstrap(values, range(20))
    fivefold = bootstrap(np.repeat(values, 5), np.repeat(np.arange(20), 5).tolist())
    assert fivefold == pytest.approx(once)
    careless = bootstrap(np.repeat(values, 5), range(100))
    assert careless.high - careless.low < 0.6 * (once.high - once.low)


def test_the_seed_decides_and_nothing_else() -> None:
    values = np.random.default_rng(0).normal(size=20)
    patients = range(20)
    assert bootstrap(values, patients, seed=1) == bootstrap(values, patients, seed=1)
    assert bootstrap(values, patients, seed=1) != bootstrap(values, patients, seed=2)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        patient = generator.normal(size=40)
        values = (patient[:, None] + 0.3 * generator.normal(size=(40, 3))).ravel()
        interval = bootstrap(values, np.repeat(np.arange(40), 3).tolist(), seed=trial, draws=400)
        held += interval.low < 0 < interval.high
    assert 0.89 < held / 200 < 0.99


def test_nothing_is_not_averaged() -> None:
    with pytest.raises(ValueError, match="nothing to average"):
        bootstrap([], [])
    with pytest.raises(ValueError, match="2 values have 1 groups"):
        bootstrap([1, 2], ["a"])
