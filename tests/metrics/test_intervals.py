"""The bootstrap over patients."""

import numpy as np
import pytest

from unmetal.metrics.intervals import EXACT, bootstrap, paired


def test_the_mean_is_the_mean_of_all_values() -> None:
    interval = bootstrap([1, 2, 3, 10], ["a", "a", "a", "b"])
    assert interval.mean == 4
    assert interval.low == 2
    assert interval.high == 10


def test_one_patient_says_nothing_about_others() -> None:
    interval = bootstrap([1, 2, 3], ["a", "a", "a"])
    assert interval.mean == 2
    assert np.isnan([interval.low, interval.high]).all()


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


def test_a_difference_is_that_of_the_means_and_its_sign_can_be_turned() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 30))
    groups = np.repeat(np.arange(10), 3).tolist()
    one, other = paired(a, b, groups), paired(b, a, groups)
    assert one.mean == pytest.approx(a.mean() - b.mean())
    assert one.p == other.p
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_cases_in_common_make_a_difference_surer_than_its_means() -> None:
    generator = np.random.default_rng(0)
    case = 3 * generator.normal(size=100)
    better = case + 0.2 + 0.1 * generator.normal(size=100)
    difference = paired(better, case, range(100))
    assert difference.high - difference.low < 0.1
    assert difference.low < 0.2 < difference.high
    mean = bootstrap(case, range(100))
    assert mean.high - mean.low > 1
    assert difference.p == 1 / 10_000


def test_few_patients_cannot_be_sure_however_many_slices_they_have() -> None:
    groups = np.repeat(np.arange(4), 50).tolist()
    assert paired(np.ones(200), np.zeros(200), groups).p == 2 / 2**4
    assert paired([1.0, 2.0], [0.0, 0.0], "aa").p == 1
    assert paired([1.0, 1.0], [1.0, 1.0], "ab").p == 1


def test_signs_that_are_drawn_agree_with_all_of_them() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(0.4, 1, EXACT)
    exact = paired(values, np.zeros(EXACT), range(EXACT)).p
    with_one_more = paired([*values, 0.0], np.zeros(EXACT + 1), range(EXACT + 1)).p
    assert with_one_more == pytest.approx(exact, abs=0.02)


def test_where_nothing_differs_p_is_spread_evenly() -> None:
    generator = np.random.default_rng(0)
    found = [
        paired(generator.normal(size=20), np.zeros(20), range(20), draws=499).p for _ in range(300)
    ]
    shares = [np.mean(np.array(found) <= level) for level in (0.05, 0.25, 0.5)]
    assert shares == pytest.approx([0.05, 0.25, 0.5], abs=0.07)


def test_what_has_no_partner_is_not_compared() -> None:
    with pytest.raises(ValueError, match="2 values have 1"):
        paired([1, 2], [1], ["a", "b"])
