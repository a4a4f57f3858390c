"""Lesions: their contrast, and d' against what theory says of white noise."""

import numpy as np
import pytest
from slices import phantom

from unmetal.metrics.lesion import CONTRAST_HU, choose_lesion, contrast, detectability

ONE = phantom(256, 1.5)
LESION = choose_lesion(*ONE)
assert LESION is not None
SEEN = ONE.truth + LESION.profile


def test_it_is_a_disc_of_10_mm_in_soft_tissue_beside_the_metal() -> None:
    area = LESION.profile.sum() / CONTRAST_HU * ONE.pixel**2
    assert area == pytest.approx(np.pi * 25, rel=0.05)
    assert set(ONE.truth[LESION.profile > 0].tolist()) <= {40, 90}
    assert not ONE.metal[LESION.profile > 0].any()


def test_all_of_the_contrast_is_1_and_a_part_that_part() -> None:
    assert contrast(ONE.truth, SEEN, LESION) == pytest.approx(1)
    assert contrast(ONE.truth, ONE.truth + 0.3 * LESION.profile, LESION) == pytest.approx(0.3)
    assert contrast(ONE.truth, ONE.truth + 50, LESION) == pytest.approx(0, abs=1e-9)


def test_in_white_noise_d_prime_is_the_matched_filters() -> None:
    expected = CONTRAST_HU / (20 * np.sqrt((LESION.template**2).sum()))
    generator = np.random.default_rng(0)
    found = []
    for _ in range(20):
        noise = generator.normal(0, 20, ONE.truth.shape)
        found.append(detectability(ONE.truth + noise, SEEN + noise, ONE.truth, LESION))
    assert np.mean(found) == pytest.approx(expected, rel=0.1)


def test_blur_takes_contrast_and_streaks_take_detectability() -> None:
    rows, columns = np.ogrid[: ONE.truth.shape[0], : ONE.truth.shape[1]]
    streaks = 60 * np.sin(rows / 3 + columns / 5)
    noise = np.random.default_rng(0).normal(0, 10, ONE.truth.shape)
    quiet = detectability(ONE.truth + noise, SEEN + noise, ONE.truth, LESION)
    loud = detectability(ONE.truth + noise + streaks, SEEN + noise + streaks, ONE.truth, LESION)
    assert loud < 0.5 * quiet


def test_where_none_fits_there_is_none() -> None:
    assert (
        choose_lesion(np.full((64, 64), -1000.0), ONE.metal[:64, :64], ONE.body[:64, :64], 1.0)
        is None
    )
