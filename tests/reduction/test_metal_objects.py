"""Objects that could be metal: by what evidence they are corrected or left alone."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from unmetal.methods import build
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, simulate
from unmetal.reduction.metal_objects import judge_metal, label_objects, objects_left_alone
from unmetal.reduction.metal_search import find_bodies, find_metal
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.reduction.streaks import measure_streaks, streak_amplitude
from unmetal.scan import Volume
from unmetal.units import hu_to_mu, mu_to_hu

PIXEL, SIDE = 1.0, 160
SPACING = (3.0, PIXEL, PIXEL)
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
BODY = np.hypot(ROWS - 80, COLUMNS - 80) < 65
AT = np.hypot(ROWS - 80, COLUMNS - 60) < 3


def tissue(seed: int = 0) -> np.ndarray:
    """HU `[H W]` of a body with the noise of a soft kernel."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(0, 60, BODY.shape), 0.8)
    return np.where(BODY, 40 + noise, -1000).astype(np.float32)


def with_contrast(seed: int = 0) -> np.ndarray:
    """A blurred spot of 3000 HU without any artifact."""
    return tissue(seed) + 3600 * ndimage.gaussian_filter(AT.astype(np.float32), 0.8)


def with_metal() -> np.ndarray:
    """A gold marker, scanned, on a scale that ends at 3071 HU."""
    metal = torch.from_numpy(np.hypot(ROWS - 80, COLUMNS - 60) < 2)[None, None]
    clean = hu_to_mu(torch.from_numpy(tissue()))[None, None]
    setting = Protocol(clinical(SIDE, SIDE, PIXEL / 10), photons=2e5, tissue="replaced", edge=1)
    done = simulate(clean, metal, ("au",), setting, torch.Generator().manual_seed(0))
    return mu_to_hu(done.scan.image)[0, 0].numpy().clip(-1024, 3071)


def volume(*slices: np.ndarray) -> Volume:
    return Volume(np.stack(slices).clip(-1024, 3071), SPACING)


def judged(series: Volume, **options: object):
    bodies = find_bodies(series.hu, PIXEL)
    return judge_metal(series.hu, find_metal(series), bodies, SPACING, **options)


@pytest.mark.parametrize("seed", range(4))
def test_contrast_without_an_artifact_is_left_alone_bit_for_bit(seed):
    series = volume(tissue(), with_contrast(seed), tissue(1))
    assert find_metal(series)[1].any()
    reduced = reduce_volume(series, build("li"))
    assert np.array_equal(reduced.volume.hu, series.hu)
    (one,) = reduced.objects
    assert one.decision == "left alone"
    assert one.slices == (1,)
    assert one.corrected_slices == ()
    assert "no more than" in one.reason
    assert (reduced.left_alone == find_metal(series)).all()


def test_metal_that_makes_streaks_is_corrected_and_its_neighbour_is_not():
    hu = with_metal()
    spot = np.hypot(ROWS - 80, COLUMNS - 125) < 3
    hu = hu + 3600 * ndimage.gaussian_filter(spot.astype(np.float32), 0.8)
    series = volume(hu)
    reduced = reduce_volume(series, build("li"))
    by_column = sorted(reduced.objects, key=lambda one: one.center[2])
    assert by_column[0].decision == "corrected"
    assert by_column[0].strength_hu > by_column[0].bound_hu
    assert by_column[-1].decision == "left alone"
    # The spot keeps its values, although the streaks that cross it are corrected.
    assert (reduced.volume.hu[0] != series.hu[0]).any()
    assert np.array_equal(reduced.volume.hu[reduced.left_alone], series.hu[reduced.left_alone])


def test_where_and_how_large_an_object_is():
    series = volume(tissue(), with_contrast(0), with_contrast(1))
    _, (one,) = judged(series)
    voxels = int(find_metal(series).sum())
    assert one.slices == (1, 2)
    assert one.center == pytest.approx((1.5, 80, 60), abs=0.5)
    assert one.center_mm == pytest.approx((4.5, 80, 60), abs=1.5)
    assert one.volume_mm3 == pytest.approx(3.0 * voxels)
    assert "slices 2 to 3, row 80, column 60" in one.sentence()


def test_pieces_of_one_implant_are_one_object_and_others_are_not():
    metal = np.zeros((3, 40, 40), bool)
    metal[0, 10:14, 10:14] = metal[1, 12:16, 12:16] = True
    metal[1, 30, 30] = metal[2, 5, 35] = True
    labels = label_objects(metal, 1.0)
    assert labels.max() == 3
    assert labels[0, 12, 12] == labels[1, 14, 14]
    assert ((labels > 0) == metal).all()


def test_what_is_not_confirmed_is_not_corrected():
    series = volume(with_metal())
    nothing = np.zeros(series.hu.shape, bool)
    chosen, objects = judged(series, confirmed=nothing)
    assert judged(series)[0].any()
    assert not chosen.any()
    assert all(one.decision == "left alone" for one in objects)


def test_the_reason_says_whether_it_is_too_small_or_no_metal():
    series = volume(tissue(), with_metal(), tissue(1))
    none = np.zeros(series.hu.shape, bool)
    for segmented, said in (
        (find_metal(series), "smaller than the least area"),
        (none, "does not take it for metal"),
        (None, "does not take it for metal"),
    ):
        _, objects = judged(series, confirmed=none, segmented=segmented)
        one = max(objects, key=lambda its: its.volume_mm3)
        assert one.decision == "left alone"
        assert said in one.reason


def test_what_only_solid_metal_reaches_is_corrected_without_streaks():
    hu = np.where(AT, 6000, tissue())[None].astype(np.float32)
    chosen, (one,) = judge_metal(hu, AT[None], BODY[None], SPACING)
    assert np.array_equal(chosen, AT[None])
    assert "denser than 4000 HU" in one.reason


def test_rays_are_measured_and_rings_are_not():
    flat = np.full(BODY.shape, 40, np.float32)
    angle = np.arctan2(ROWS - 80, COLUMNS - 60)
    rays = streak_amplitude(flat + 100 * np.cos(12 * angle), AT, BODY, PIXEL)
    rings = streak_amplitude(
        flat + 100 * np.cos(np.hypot(ROWS - 80, COLUMNS - 60)), AT, BODY, PIXEL
    )
    assert streak_amplitude(flat, AT, BODY, PIXEL) == pytest.approx(0, abs=1e-3)
    assert rays > 20 > 3 * rings


def test_an_object_without_a_body_around_it_has_no_streaks():
    nowhere = np.zeros_like(BODY)
    assert measure_streaks(tissue(), AT, nowhere, nowhere, PIXEL).hu == 0


def test_of_a_corrected_object_nothing_is_left_alone_and_of_another_all_is():
    spot = np.hypot(ROWS - 80, COLUMNS - 125) < 3
    series, dense = volume(with_metal()), (AT | spot)[None]
    half = AT[None] & (ROWS < 80)
    chosen, objects = judge_metal(series.hu, dense, BODY[None], SPACING, confirmed=half | spot)
    assert (chosen[0] & AT).sum() == (half[0]).sum()
    left = objects_left_alone(dense, objects, PIXEL)
    assert np.array_equal(left[0], spot)
