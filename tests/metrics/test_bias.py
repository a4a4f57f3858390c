"""Errors by distance: each in its band."""

import math

import numpy as np
import pytest

from unmetal.metrics.strata import TISSUES, band_of, hu_bias, tissue_of

METAL = np.zeros((9, 101), bool)
METAL[:, 50] = True
ALL = np.ones_like(METAL)
AWAY = np.abs(np.arange(101) - 50.0)


def test_an_error_is_in_the_band_in_which_it_is() -> None:
    truth = np.zeros(METAL.shape)
    output = truth + np.where((AWAY > 10) & (AWAY <= 20), -30.0, 5.0)
    output[:, 50] = 9000
    found = hu_bias(output, truth, METAL, ALL, 1.0)
    assert found["bias_10_20"] == -30
    assert found["rmse_10_20"] == 30
    assert {found[f"bias_{k}"] for k in ("0_5", "5_10", "20_40")} == {5}


def test_signs_cancel_in_the_mean_and_not_in_its_square() -> None:
    output = np.where(np.arange(9)[:, None] % 2, 40.0, -40.0) * np.ones(METAL.shape)
    found = hu_bias(output, 0 * output, METAL, ALL, 0.1)
    assert found["bias_0_5"] == pytest.approx(-40 / 9)
    assert found["rmse_0_5"] == 40
    assert math.isnan(found["bias_10_20"])


def test_bands_and_tissues_end_where_they_say() -> None:
    assert band_of(METAL, 1.0)[0, 50:].tolist()[:12] == [0] * 6 + [1] * 5 + [2]
    assert band_of(METAL & False, 1.0).min() == 4
    assert [TISSUES[i] for i in tissue_of(np.array([-191, -100, 0, 150]))] == list(TISSUES)
