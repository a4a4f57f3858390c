"""Regions: what they are named for, on a phantom whose parts are known."""

import numpy as np
from slices import phantom

from unmetal.metrics.regions import METAL_MARGIN, choose_regions
from unmetal.metrics.strata import distance_to


def test_regions_lie_where_they_should() -> None:
    one = phantom()
    regions = choose_regions(*one)
    distance = distance_to(one.metal, one.pixel)
    assert np.unique(one.truth[regions.noise]).tolist() in ([40], [90])
    assert distance[regions.noise].min() > 20
    soft, bone = (one.truth[where] for where in (regions.soft_edge, regions.bone_edge))
    assert set(soft.tolist()) == {40, 90}
    assert bone.max() in {400, 700}
    assert bone.min() == 40
    assert distance[regions.streak].max() <= 40
    assert set(np.unique(one.truth[regions.streak]).tolist()) <= {-100, 40, 90}
    assert not (regions.counted & regions.metal).any()
    assert regions.metal_hu == 100 + METAL_MARGIN, "soft tissue is the densest beside this metal"


def test_noise_does_not_move_the_edges() -> None:
    one = phantom()
    noisy = one.truth + np.random.default_rng(0).normal(0, 20, one.truth.shape)
    quiet, loud = (choose_regions(hu, *one[1:]) for hu in (one.truth, noisy.astype(np.float32)))
    for name in ("soft_edge", "streak"):
        a, b = getattr(quiet, name), getattr(loud, name)
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.7, name


def test_metal_beside_bone_must_be_denser_than_it() -> None:
    one = phantom()
    beside = np.roll(one.metal, (16, 0), (0, 1))
    assert choose_regions(one.truth, beside, one.body, one.pixel).metal_hu == 700 + METAL_MARGIN


def test_a_slice_of_metal_alone_is_measured_without_an_error() -> None:
    one = phantom()
    regions = choose_regions(one.truth, one.body, one.body, one.pixel)
    assert not regions.counted.any()
    assert not regions.noise.any()
