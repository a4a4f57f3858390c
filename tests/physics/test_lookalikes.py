"""What looks like metal and is none: its size, its value, its place, and nothing beside it."""

import math

import numpy as np
import pytest
from scipy import ndimage

from unmetal.physics.derive import body_mask
from unmetal.physics.implants.lookalike_shapes import TOP_HU, Lookalike, paint
from unmetal.physics.implants.lookalikes import KINDS, choose_lookalikes, paint_lookalikes

PIXEL = 1.2


@pytest.fixture(scope="module")
def trunk() -> np.ndarray:
    """HU float32 `[H W]`: 300 x 200 mm of tissue with a vertebra, on its back, in air."""
    rows, columns = np.mgrid[:300, :300]
    down, right = (rows - 140) * PIXEL, (columns - 150) * PIXEL
    hu = np.where((right / 150) ** 2 + (down / 100) ** 2 < 1, 40.0, -1000.0)
    hu[np.hypot(right, down - 50) < 20] = 400
    return hu.astype(np.float32)


@pytest.fixture(scope="module")
def body(trunk) -> np.ndarray:
    return body_mask(trunk, PIXEL)


def water(size: int = 121) -> np.ndarray:
    return np.zeros((size, size), np.float32)


def test_an_object_has_its_value_its_size_and_a_blurred_edge():
    disc = Lookalike(60, 60, 40, 30, 0.3, hu=1000, blur=0.8)
    hu, painted = paint(water(), 1.0, [disc])
    # 0.3 of the contrast lies half a sigma beyond the edge.
    assert painted.sum() == pytest.approx(math.pi * 20.4 * 15.4, rel=0.02)
    assert hu[60, 60] == pytest.approx(1000, abs=45)
    edge = Lookalike(60, 60, 40, 40, 0.0, hu=1000, blur=0.8)
    profile = paint(water(), 1.0, [edge])[0][60, 60:]
    # The integral of an edge's spread function from -1 to 1 sigma is 68 %.
    assert 0.3 < profile[19] / 1000 - profile[21] / 1000 < 0.9
    assert not profile[25:].any()


def test_what_is_thin_reaches_its_value_and_what_is_above_the_scale_is_a_plateau():
    ring = Lookalike(60, 60, 20, 20, 0.0, hu=2500, blur=0.7, wall=1.0)
    hu, painted = paint(water(), 1.0, [ring])
    assert hu.max() == pytest.approx(2500, abs=60)
    assert abs(hu[60, 60]) < 1
    assert painted.sum() < 0.5 * math.pi * 10**2
    plateau, _ = paint(water(), 1.0, [Lookalike(60, 60, 20, 20, 0.0, hu=5000, blur=0.7)])
    assert plateau.max() == TOP_HU
    assert (plateau == TOP_HU).sum() > 200


def test_struts_are_apart_and_fluid_lies_on_contrast():
    ring = Lookalike(60, 60, 40, 40, 0.0, hu=2500, blur=0.5, wall=1.0, struts=8)
    hu, _ = paint(water(), 1.0, [ring])
    angles = np.linspace(0, 2 * math.pi, 721)
    along = hu[
        np.round(60 + 19.5 * np.sin(angles)).astype(int),
        np.round(60 + 19.5 * np.cos(angles)).astype(int),
    ]
    assert np.diff((along > 800).astype(int)).clip(0).sum() == pytest.approx(8, abs=1)
    bowel = Lookalike(60, 60, 40, 40, 0.0, hu=1200, blur=0.5, above=-980, level=0.0)
    hu, painted = paint(water(), 1.0, [bowel])
    assert hu[50, 60] == pytest.approx(-980, abs=45)
    assert hu[70, 60] == pytest.approx(1200, abs=45)
    assert painted[50, 60]
    assert painted[70, 60]


def test_only_bone_becomes_denser_by_a_gain():
    slice_ = water()
    slice_[:, 60:] = 600
    region = Lookalike(60, 60, 40, 40, 0.0, hu=1100, blur=0.5, gain=1.0)
    hu, painted = paint(slice_, 1.0, [region])
    assert hu[60, 70] == pytest.approx(1000)
    assert not painted[:, :60].any()
    assert np.array_equal(hu[:, :60], slice_[:, :60])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_painted_by_its_seed_and_nothing_changes_beside_it(kind, trunk, body):
    before = trunk.copy()
    hu, painted = paint_lookalikes(trunk, PIXEL, body, np.random.default_rng(3), [kind])
    assert np.array_equal(trunk, before)
    assert hu.dtype == np.float32
    assert painted.any()
    assert hu.max() <= TOP_HU
    # A blur of 1 mm reaches 3 mm; thin parts between struts are weaker than what counts.
    near = ndimage.distance_transform_edt(~painted) * PIXEL < 8
    assert np.array_equal(hu[~near], trunk[~near])
    again = paint_lookalikes(trunk, PIXEL, body, np.random.default_rng(3), [kind])
    assert np.array_equal(hu, again[0])
    other = paint_lookalikes(trunk, PIXEL, body, np.random.default_rng(4), [kind])
    assert not np.array_equal(hu, other[0])


def test_they_lie_where_they_belong(trunk, body):
    def middles(kind):
        drawn = [
            x
            for seed in range(30)
            for x in choose_lookalikes(trunk, PIXEL, body, np.random.default_rng(seed), [kind])
        ]
        places = np.round([(x.row, x.column) for x in drawn]).astype(int)
        return drawn, places[(places >= 0).all(1) & (places < 300).all(1)]

    for kind in ("vessels", "vein", "bowel", "stent", "saturated"):
        _, places = middles(kind)
        assert body[tuple(places.T)].mean() > 0.98
    drawn, places = middles("specks")
    assert not body[tuple(places.T)].all()
    assert places[:, 0].min() > 140
    assert max(x.length for x in drawn) <= 2.5 * PIXEL
    _, places = middles("cement")
    assert (trunk[tuple(places.T)] > 200).mean() > 0.9
    stents, _ = middles("stent")
    assert all(6 <= x.length <= 34 for x in stents)


def test_an_empty_slice_gets_nothing():
    air = np.full((64, 64), -1000, np.float32)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        hu, painted = paint_lookalikes(air, PIXEL, np.zeros_like(air, bool), rng)
        assert not painted.any()
        assert np.array_equal(hu, air)


def test_several_kinds_mix_in_one_slice_and_dense_ones_pass_for_metal(trunk, body):
    painted = [
        paint_lookalikes(trunk, PIXEL, body, np.random.default_rng(seed)) for seed in range(40)
    ]
    # About half of them must be able to fool a threshold of 2500 HU, or they teach nothing.
    assert 10 < sum((hu > 2500).sum() > 0 for hu, _ in painted) < 36
