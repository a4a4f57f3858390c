"""Intervals over patients: how often they hold the truth, and what few patients cannot say."""

import numpy as np
import pytest

from unmetal.metrics.intervals import EXACT, paired, t_interval

CLINICAL = (34, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1)
"""Slices of each of 11 patients, as unequal as those of docs/clinical.md: 34 of 56 are one's."""


def patients(counts: tuple[int, ...]) -> list[int]:
    """The patient of each slice."""
    return np.repeat(np.arange(len(counts)), counts).tolist()


@pytest.mark.parametrize("counts", [CLINICAL, (12, 3, 3, 2, 1)])
@pytest.mark.parametrize("within", [0.3, 1.0])
def test_95_of_100_intervals_hold_the_truth_however_few_and_unequal_patients_are(counts, within):
    # A bootstrap over patients, which was here before, holds it in 89 and 83 of 100.
    generator, groups = np.random.default_rng(0), patients(counts)
    held = 0
    for _ in range(2000):
        patient = generator.normal(size=len(counts))
        values = patient[groups] + within * generator.normal(size=len(groups))
        interval = t_interval(values, groups)
        held += interval.low < 0 < interval.high
    # The standard error of a share of 2000 is 0.005.
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_every_patient_weighs_the_same_and_two_say_next_to_nothing():
    interval = t_interval([1, 2, 3, 10], ["a", "a", "a", "b"])
    # Means 2 and 10: standard error 4, and t is 12.706 at one degree of freedom.
    assert interval == pytest.approx((6, 6 - 12.706 * 4, 6 + 12.706 * 4), abs=0.01)


def test_one_patient_says_nothing_about_others():
    interval = t_interval([1, 2, 3], ["a", "a", "a"])
    assert interval.mean == 2
    assert np.isnan([interval.low, interval.high]).all()


def test_copies_of_a_slice_do_not_make_it_surer():
    values = np.random.default_rng(0).normal(size=20)
    once = t_interval(values, range(20))
    fivefold = t_interval(np.repeat(values, 5), np.repeat(np.arange(20), 5).tolist())
    assert fivefold == pytest.approx(once)
    careless = t_interval(np.repeat(values, 5), range(100))
    assert careless.high - careless.low < 0.6 * (once.high - once.low)


def test_nothing_is_not_averaged():
    with pytest.raises(ValueError, match="nothing to average"):
        t_interval([], [])
    with pytest.raises(ValueError, match="2 values have 1 groups"):
        t_interval([1, 2], ["a"])


def test_a_difference_is_that_of_the_means_and_its_sign_can_be_turned():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 30))
    groups = np.repeat(np.arange(10), 3).tolist()
    one, other = paired(a, b, groups), paired(b, a, groups)
    assert one.mean == pytest.approx(a.mean() - b.mean())
    assert one.p == other.p
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_the_p_value_is_of_the_same_means_as_the_interval():
    # 34 slices of one patient are worse, one slice of each of ten others is better: by sums of
    # slices the method is worse, by patients it is better.
    groups = patients((34, *[1] * 10))
    values = np.where(np.array(groups) == 0, -1.0, 1.0)
    difference = paired(values, np.zeros(44), groups)
    assert difference.mean == pytest.approx(9 / 11)
    # All signs alike, or one of the eleven unlike the others.
    assert difference.p == pytest.approx(2 * (1 + 11) / 2**11)


def test_cases_in_common_make_a_difference_surer_than_its_means():
    generator = np.random.default_rng(0)
    case = 3 * generator.normal(size=100)
    better = case + 0.2 + 0.1 * generator.normal(size=100)
    difference = paired(better, case, range(100))
    assert difference.high - difference.low < 0.1
    assert difference.low < 0.2 < difference.high
    mean = t_interval(case, range(100))
    assert mean.high - mean.low > 1
    assert difference.p == 1 / 10_000


def test_few_patients_cannot_be_sure_however_many_slices_they_have():
    groups = np.repeat(np.arange(4), 50).tolist()
    assert paired(np.ones(200), np.zeros(200), groups).p == 2 / 2**4
    assert paired([1.0, 2.0], [0.0, 0.0], "aa").p == 1
    assert paired([1.0, 1.0], [1.0, 1.0], "ab").p == 1


def test_signs_that_are_drawn_agree_with_all_of_them():
    generator = np.random.default_rng(1)
    values = generator.normal(0.4, 1, EXACT)
    exact = paired(values, np.zeros(EXACT), range(EXACT)).p
    with_one_more = paired([*values, 0.0], np.zeros(EXACT + 1), range(EXACT + 1)).p
    assert with_one_more == pytest.approx(exact, abs=0.02)


def test_where_nothing_differs_p_is_spread_evenly():
    generator = np.random.default_rng(0)
    found = [
        paired(generator.normal(size=20), np.zeros(20), range(20), draws=499).p for _ in range(300)
    ]
    shares = [np.mean(np.array(found) <= level) for level in (0.05, 0.25, 0.5)]
    assert shares == pytest.approx([0.05, 0.25, 0.5], abs=0.07)


def test_what_has_no_partner_is_not_compared():
    with pytest.raises(ValueError, match="2 values have 1"):
        paired([1, 2], [1], ["a", "b"])
