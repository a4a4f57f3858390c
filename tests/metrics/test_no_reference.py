"""Measures without truth: they see streaks and harm, and do not see noise or offsets."""

import math

import numpy as np
import pytest
from faults import streaks
from slices import phantom

from unmetal.metrics.no_reference import (
    choose_flat,
    far_change,
    no_reference_metrics,
    streak_amplitude,
)
from unmetal.metrics.strata import TISSUES

ONE = phantom()
FLAT = choose_flat(*ONE)


def amplitude(hu: np.ndarray) -> float:
    return streak_amplitude(hu, FLAT, ONE.pixel)


def test_flat_tissue_is_one_tissue() -> None:
    assert set(ONE.truth[TISSUES.index("soft tissue") == FLAT].tolist()) <= {40, 90}
    assert set(ONE.truth[TISSUES.index("fat") == FLAT].tolist()) <= {-100}
    assert not (ONE.metal & (FLAT > 0)).any()


def test_streaks_are_seen_in_proportion_and_noise_and_offsets_are_not() -> None:
    none = amplitude(ONE.truth)
    weak, strong = (amplitude(ONE.truth + streaks(ONE.metal, hu, ONE.pixel)) for hu in (60, 240))
    assert none < 15 < weak
    assert strong / weak == pytest.approx(4, rel=0.2)
    assert amplitude(ONE.truth + 50) == pytest.approx(none, abs=1e-6)
    noise = np.random.default_rng(0).normal(0, 15, ONE.truth.shape)
    assert amplitude(ONE.truth + noise) < weak


def test_what_is_far_is_compared_and_what_is_near_is_not() -> None:
    rows = np.arange(len(ONE.truth))[:, None] * np.ones_like(ONE.truth)
    far = np.where(rows < 60, ONE.truth + 10, ONE.truth)
    assert far_change(ONE.truth, ONE.truth, ONE.metal, ONE.body, ONE.pixel) == 0
    found = far_change(ONE.truth, far, ONE.metal, ONE.body, ONE.pixel)
    assert 0 < found < 10
    near = ONE.truth + streaks(ONE.metal, 100, ONE.pixel) * (FLAT > 0)
    assert far_change(ONE.truth, near, ONE.metal, ONE.body, ONE.pixel) == 0
    assert math.isnan(far_change(ONE.truth, far, ONE.body, ONE.body, ONE.pixel))


def test_metal_is_counted_before_and_after() -> None:
    less = ONE.metal.copy()
    less[: len(less) // 2] = False
    found = no_reference_metrics(ONE.truth, ONE.truth, (ONE.metal, less), ONE.body, FLAT, ONE.pixel)
    assert found["metal_mm2"] == less.sum() * ONE.pixel**2
    assert found["metal_change"] == pytest.approx(less.sum() / ONE.metal.sum() - 1)
    nothing = ONE.metal & False
    found = no_reference_metrics(
        ONE.truth, ONE.truth, (nothing, nothing), ONE.body, FLAT, ONE.pixel
    )
    assert math.isnan(found["metal_change"])
