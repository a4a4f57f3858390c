"""Proton range: exact on what can be reckoned by hand."""

import numpy as np
import pytest
from slices import phantom

from unmetal.metrics.proton import choose_beam, range_error, stopping_power, water_equivalent


def beam_of(one):
    return choose_beam(one.body, one.metal, one.body & ~one.metal, one.pixel)


def test_water_is_as_long_as_it_is() -> None:
    one = phantom()
    beam = beam_of(one)
    zero = float(np.interp(1.0, [0.788, 0.897, 1.003], [-200, -120, -20]))
    water = np.where(one.body, zero, -1000.0)
    longest = water_equivalent(np.full_like(water, zero), beam)
    assert longest == pytest.approx(beam.within.sum(1) * one.pixel, rel=1e-6)
    assert range_error(water, water, beam) == 0


def test_the_curve_goes_through_its_points() -> None:
    assert stopping_power(np.array([-2000, -1000, -20, 100, 3000])) == pytest.approx(
        [0, 0, 1.003, 1.084, 3.2], abs=1e-3
    )


def test_one_percent_more_stopping_power_is_one_percent_of_range() -> None:
    one = phantom()
    beam = beam_of(one)
    soft = np.full(one.truth.shape, 0.0)
    more = float(np.interp(1.01 * stopping_power(soft[0, 0]), [1.003, 1.038], [-20, 50]))
    assert range_error(np.full_like(soft, more), soft, beam) == pytest.approx(0.01, rel=1e-6)


def test_the_beam_passes_metal_by_and_enters_where_the_way_is_short() -> None:
    one = phantom()
    beam = beam_of(one)
    rows, columns = np.rint(beam.at).astype(int)
    inside = beam.within
    assert not one.metal[rows[inside], columns[inside]].any()
    assert one.body[rows[inside], columns[inside]].all()
    depth = inside.sum(1).max() * one.pixel
    assert depth < 0.5 * one.body.any(0).sum() * one.pixel


def test_what_lies_beyond_the_target_does_not_count() -> None:
    one = phantom()
    beam = beam_of(one)
    rows, columns = np.rint(beam.at).astype(int)
    crossed = np.zeros(one.body.shape, bool)
    for shift in (-1, 0, 1):
        for other in (-1, 0, 1):
            crossed[rows[beam.within] + shift, columns[beam.within] + other] = True
    spoilt = np.where(crossed, one.truth, 3000)
    assert range_error(spoilt, one.truth, beam) == 0
