"""Metal in a body, and nowhere else; what follows from an image."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from unmetal.physics.derive import _dilated, _eroded, _filled, body_mask, complete, metal_mask
from unmetal.physics.scanner import reprojection
from unmetal.scan import Scan
from unmetal.units import hu_to_mu

PIXEL = 1.0
ROWS, COLUMNS = np.mgrid[:256, :256]


def disc(row: float, column: float, radius: float) -> np.ndarray:
    return (ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2


def patient() -> np.ndarray:
    """A body with lungs on a table, and an arm beside it."""
    hu = np.full((256, 256), -1000.0)
    hu[disc(120, 110, 70)] = 40
    hu[disc(110, 80, 20)] = -800
    hu[disc(120, 225, 20)] = 40
    hu[215:218, 20:240] = 0
    return hu


@pytest.mark.parametrize("radius", [0.5, 1, 2.3, 5, 60])
def test_growing_by_a_disc_is_a_matter_of_distance(radius):
    mask = np.random.default_rng(0).random((40, 57)) < 0.02
    distance = ndimage.distance_transform_edt(~mask)
    np.testing.assert_array_equal(_dilated(mask, radius), distance <= radius)
    to_outside = ndimage.distance_transform_edt(np.pad(~mask, 1))[1:-1, 1:-1]
    np.testing.assert_array_equal(_eroded(~mask, radius), to_outside > radius)


def test_holes_are_what_does_not_reach_the_border():
    mask = np.random.default_rng(0).random((40, 57)) < 0.6
    np.testing.assert_array_equal(_filled(mask), ndimage.binary_fill_holes(mask))


def test_the_body_is_body_and_arm_without_the_table():
    body = body_mask(patient(), PIXEL)
    assert body[110, 80]
    assert body[120, 225]
    assert not body[216].any()
    assert not body_mask(np.full((64, 64), -1000.0), PIXEL).any()


def test_metal_counts_inside_the_body_only():
    hu = patient()
    inside, arm = disc(130, 120, 6), disc(120, 225, 4)
    lead, wire = disc(20, 110, 3), disc(216, 100, 4)
    for place in (inside, arm, lead, wire):
        hu[place] = 8000
    assert np.array_equal(metal_mask(hu, PIXEL), inside | arm)


def test_metal_is_more_than_the_threshold():
    hu = patient()
    rod = disc(130, 120, 6)
    for value, expected in ((2500, False), (2501, True), (3000, True)):
        hu[rod] = value
        assert metal_mask(hu, PIXEL).any() == expected
    hu[rod] = 2000
    assert not metal_mask(hu, PIXEL).any()
    assert np.array_equal(metal_mask(hu, PIXEL, threshold=1500), rod)


def test_bone_next_to_metal_is_not_metal():
    hu = patient()
    hu[disc(130, 120, 20)] = 1500
    rod = disc(130, 120, 6)
    hu[rod] = 9000
    assert np.array_equal(metal_mask(hu, PIXEL), rod)


def test_a_saturated_scale_is_understood():
    # 12 bits end at 3071 HU: the blur around a rod, at 2300, is not metal; the plateau is.
    hu = patient()
    rod = disc(130, 120, 6)
    hu[disc(130, 120, 8)] = 2300
    hu[rod] = 3071
    assert np.array_equal(metal_mask(hu, PIXEL), rod)


def test_a_lesser_metal_in_another_place_is_found_too():
    hu = patient()
    rod, clip = disc(130, 120, 6), disc(160, 90, 2)
    hu[rod], hu[clip] = 15000, 3000
    assert np.array_equal(metal_mask(hu, PIXEL), rod | clip)


def test_a_dark_streak_that_opens_the_body_leaves_the_metal_inside():
    hu = patient()
    pacemaker = disc(70, 150, 10)
    hu[40:75, 145:155] = -1000
    hu[pacemaker] = 6000
    assert metal_mask(hu, PIXEL)[pacemaker].all()


def test_what_is_known_is_kept_and_the_rest_follows():
    hu = patient()
    rod = disc(130, 120, 6)
    hu[rod] = 9000
    image = hu_to_mu(torch.from_numpy(hu).float())[None, None]
    scanner = reprojection(256, 256, PIXEL / 10)
    scan = complete(Scan(image, scanner), {"metal", "sinogram", "trace"}, PIXEL)
    assert np.array_equal(scan.metal[0, 0].numpy(), rod)
    assert torch.equal(scan.sinogram, scanner.project(image))
    assert torch.equal(scan.image, scanner.reconstruct(scan.sinogram))
    nothing = torch.zeros_like(scan.trace)
    assert complete(Scan(image, scanner, trace=nothing), {"trace"}, PIXEL).trace is nothing
    with pytest.raises(ValueError, match="clean"):
        complete(Scan(image), {"clean"}, PIXEL)
    with pytest.raises(ValueError, match="scanner"):
        complete(Scan(image), {"sinogram"}, PIXEL)


def test_noise_does_not_dissolve_the_body():
    noisy = patient() + np.random.default_rng(0).normal(0, 400, (256, 256))
    quiet, found = body_mask(patient(), PIXEL), body_mask(noisy, PIXEL)
    assert (quiet ^ found).sum() < 0.05 * quiet.sum()
