"""Share of the body that a result spoils, and that it mends, on slices where both are known."""

import math

import numpy as np
import pytest

from unmetal.metrics.harm import harmed_and_helped

TRUTH = np.full((80, 80), 40.0)
BODY = np.ones((80, 80), bool)
NONE = np.zeros((80, 80), bool)


def painted(size: float, top: int = 40) -> np.ndarray:
    """The truth, with an error from row `top` on: its edge is straight, so that smoothing moves
    where it exceeds half of it by nothing."""
    hu = TRUTH.copy()
    hu[top:] += size
    return hu


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_result_helps_exactly_where_it_was_wrong_and_the_reverse_harms(sign):
    # 40 HU, of which a straight edge leaves more than 20 on its own side alone.
    wrong = painted(sign * 40)
    assert harmed_and_helped(wrong, TRUTH, TRUTH, BODY, NONE, 1.0) == {"harmed": 0, "helped": 50}
    assert harmed_and_helped(TRUTH, wrong, TRUTH, BODY, NONE, 1.0) == {"harmed": 50, "helped": 0}


def test_no_change_is_neither_and_a_change_of_20_hu_is_not_enough():
    noisy = TRUTH + np.random.default_rng(0).normal(0, 200, TRUTH.shape)
    assert harmed_and_helped(noisy, noisy, TRUTH, BODY, NONE, 1.0) == {"harmed": 0, "helped": 0}
    for size, share in ((19.9, 0), (20.1, 100)):
        worse = harmed_and_helped(TRUTH, TRUTH + size, TRUTH, BODY, NONE, 1.0)
        assert worse == {"harmed": share, "helped": 0}


def test_an_error_that_only_changes_its_sign_is_neither():
    assert harmed_and_helped(painted(40), painted(-40), TRUTH, BODY, NONE, 1.0) == {
        "harmed": 0,
        "helped": 0,
    }


def test_metal_its_margin_and_the_outside_do_not_count_and_leak_nothing():
    metal, body = NONE.copy(), BODY.copy()
    metal[40, 40], body[:, :20] = True, False
    spoilt = TRUTH.copy()
    # All within 2 px of the metal, and all outside: wrong by much more than the metal itself.
    rows, columns = np.mgrid[:80, :80]
    spoilt[np.abs(rows - 40) + np.abs(columns - 40) <= 2] = 1e5
    spoilt[:, :20] = -1e5
    scores = harmed_and_helped(TRUTH, spoilt, TRUTH, body, metal, 1.0)
    assert scores == {"harmed": 0, "helped": 0}
    spoilt[40, 43] = 1e5
    assert harmed_and_helped(TRUTH, spoilt, TRUTH, body, metal, 1.0)["harmed"] > 0


def test_noise_is_smoothed_over_millimeters_not_pixels():
    noisy = TRUTH + np.random.default_rng(1).normal(0, 100, TRUTH.shape)
    coarse = harmed_and_helped(TRUTH, noisy, TRUTH, BODY, NONE, 2.0)["harmed"]
    fine = harmed_and_helped(TRUTH, noisy, TRUTH, BODY, NONE, 0.5)["harmed"]
    assert fine < 5
    assert coarse > 40


def test_nothing_counts_where_there_is_no_body():
    scores = harmed_and_helped(TRUTH, TRUTH, TRUTH, NONE, NONE, 1.0)
    assert all(map(math.isnan, scores.values()))
