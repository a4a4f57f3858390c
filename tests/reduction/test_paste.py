"""Metal pasted into corrected tissue: what stays, what does not, and the edge between."""

import numpy as np
import pytest
from scipy import ndimage

from unmetal.reduction.paste import DENSE_HU, EDGE_MM, paste, whole_implant

PIXEL = 0.8
ROWS, COLUMNS = np.mgrid[:96, :96]
AWAY = np.hypot(ROWS - 48, COLUMNS - 48)
METAL = AWAY < 6


def blurred(mask: np.ndarray, peak: float, tissue: float = 40.0) -> np.ndarray:
    """An object of `peak` HU in tissue, as a soft kernel shows it."""
    share = ndimage.gaussian_filter(mask.astype(np.float32), 1.0)
    return (tissue + share * (peak - tissue)).astype(np.float32)


def test_metal_is_the_sources_and_what_is_far_is_the_corrected():
    draw = np.random.default_rng(0)
    source = blurred(METAL, 6000) + draw.normal(0, 30, METAL.shape).astype(np.float32)
    corrected = draw.normal(40, 20, METAL.shape).astype(np.float32)
    pasted = paste(source, corrected, METAL, PIXEL)
    assert np.array_equal(pasted[METAL], source[METAL])
    implant = whole_implant(source, corrected, METAL, PIXEL)
    far = ndimage.distance_transform_edt(~implant) * PIXEL > EDGE_MM
    assert np.array_equal(pasted[far], corrected[far])


def test_flat_tissue_stays_flat_where_the_source_adds_nothing():
    flat = np.full(METAL.shape, 40, np.float32)
    pasted = paste(np.where(METAL, 6000, flat), flat, METAL, PIXEL)
    assert np.allclose(pasted[~METAL], 40, atol=1e-3)


def test_a_rim_of_undershoot_is_filled_from_beyond_it():
    source = blurred(METAL, 6000)
    # What completion leaves: 300 HU too little in the pixel beside the metal.
    rim = ndimage.binary_dilation(METAL) & ~METAL
    corrected = np.where(rim, -260, 40).astype(np.float32)
    assert corrected[rim].max() == -260
    assert paste(source, corrected, METAL, PIXEL).min() > 30


def test_the_edge_falls_from_metal_to_tissue_without_a_dip():
    source, corrected = blurred(METAL, 6000), np.full(METAL.shape, 40, np.float32)
    flank = paste(source, corrected, METAL, PIXEL)[48, 48:]
    assert (np.diff(flank) <= 1e-3).all()
    assert flank[-1] == 40


def test_a_housing_below_the_threshold_stays_and_an_object_apart_does_not():
    housing = (AWAY < 9) & (ROWS < 48)
    apart = np.hypot(ROWS - 48, COLUMNS - 75) < 4
    source = np.where(housing | apart, 1800, 40).astype(np.float32)
    source = np.where(METAL, 6000, source)
    corrected = np.full(METAL.shape, 40, np.float32)
    pasted = paste(source, corrected, METAL, PIXEL)
    near = housing & (AWAY < 6 + 3 / PIXEL)
    assert np.array_equal(pasted[near], source[near])
    assert (pasted[apart] == 40).all()


@pytest.mark.parametrize("width", [8, 14])
def test_the_hollow_of_a_port_is_part_of_it(width: int):
    # A U of metal, 1200 HU of plastic within.
    outer = (np.abs(ROWS - 48) < 8) & (np.abs(COLUMNS - 48) < width / 2 + 3)
    inner = (ROWS < 52) & (ROWS > 40) & (np.abs(COLUMNS - 48) < width / 2)
    metal = outer & ~inner
    source = np.where(metal, 6000, np.where(inner, 1200, 40)).astype(np.float32)
    pasted = paste(source, np.full(metal.shape, 40, np.float32), metal, PIXEL)
    # But for the outermost row, which a closing by a disc rounds off.
    assert (pasted[inner & outer & (ROWS > 42)] == 1200).all()


def test_a_streak_weaker_than_an_implant_does_not_return():
    source = np.where(METAL, 6000, 40).astype(np.float32)
    source[48, 54:] = 40 + DENSE_HU / 4
    corrected = np.full(METAL.shape, 40, np.float32)
    assert np.allclose(paste(source, corrected, METAL, PIXEL)[~METAL], 40, atol=1e-3)


def test_nothing_to_paste_is_the_corrected_slice():
    corrected = np.random.default_rng(1).normal(0, 9, METAL.shape).astype(np.float32)
    pasted = paste(corrected + 50, corrected, np.zeros_like(METAL), PIXEL)
    assert np.array_equal(pasted, corrected)


def test_a_streak_as_dense_as_metal_does_not_return():
    streak = (abs(ROWS - 48) < 2) & (COLUMNS > 48)
    source = np.maximum(blurred(METAL, 6000), blurred(streak, 3500))
    corrected = np.full(METAL.shape, 40, np.float32)
    beside = streak & (AWAY > 7)
    assert paste(source, corrected, METAL, PIXEL)[beside].max() > 2000
    assert paste(source, corrected, METAL, PIXEL, beside)[beside].max() <= 41
