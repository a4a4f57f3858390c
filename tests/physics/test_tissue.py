"""T24 and T25 of the specification: clusters and the priors of NMAR and CNNMAR."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from unmetal.physics.completion.prior import (
    boundaries,
    cnnmar_prior,
    depth,
    nearest,
    nmar_prior,
    smooth,
)
from unmetal.units import MU_WATER

START = (0.0, MU_WATER, 2 * MU_WATER)


def patient(size: int = 48, noise: float = 0.004) -> torch.Tensor:
    """`[1 1 H W]`, 1/cm: air, a body, a lung in it and a bone."""
    y, x = torch.meshgrid(*(2 * [torch.linspace(-1, 1, size)]), indexing="ij")
    image = torch.zeros(size, size, dtype=torch.float64)
    image[x**2 + y**2 < 0.8] = MU_WATER
    image[(x - 0.4) ** 2 + y**2 < 0.05] = 0.05
    image[(x + 0.4) ** 2 + y**2 < 0.05] = 0.4
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(image.shape, generator=generator, dtype=torch.float64)
    return (image + noise * drawn)[None, None]


def lloyd(values: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """The textbook algorithm, value by value."""
    while True:
        label = np.abs(values[:, None] - centers).argmin(1)
        moved = np.array([values[label == k].mean() for k in range(len(centers))])
        if np.allclose(moved, centers, rtol=0, atol=1e-15):
            return (moved[1:] + moved[:-1]) / 2
        centers = moved


def test_clusters_are_lloyds_and_do_not_depend_on_the_order_or_the_batch() -> None:
    values = torch.cat([patient().flatten(1), patient(noise=0.02).flatten(1)])
    found = boundaries(values, START)
    for row, got in zip(values, found, strict=True):
        np.testing.assert_allclose(got, lloyd(row.numpy(), np.array(START)), atol=1e-12)
    shuffled = values[:, torch.randperm(values.shape[1], generator=torch.Generator())]
    torch.testing.assert_close(boundaries(shuffled, START), found, rtol=0, atol=1e-12)


def test_an_empty_cluster_stays_where_it_started() -> None:
    air_and_water = torch.tensor([[0.0, 0.0, 0.2, 0.2]], dtype=torch.float64)
    cuts = boundaries(air_and_water, START)
    torch.testing.assert_close(cuts, cuts.new_tensor([[0.1, 0.1 + MU_WATER]]))


def test_smoothing_is_scipys() -> None:
    image = patient()
    expected = gaussian_filter(image[0, 0].numpy(), 1, mode="nearest", truncate=2)
    np.testing.assert_allclose(smooth(image)[0, 0], expected, atol=1e-12)


def test_the_prior_is_air_water_or_bone() -> None:
    image = patient()
    prior = nmar_prior(image, torch.zeros_like(image, dtype=torch.bool))
    bone = (prior != 0) & (prior != MU_WATER)
    assert (prior[bone] >= 1.2 * MU_WATER).all()
    assert torch.equal(prior[bone], smooth(image)[bone])
    at = {"air": (0, 0), "water": (24, 24), "lung": (24, 33), "bone": (24, 14)}
    value = {name: prior[0, 0, i, j].item() for name, (i, j) in at.items()}
    assert value["air"] == value["lung"] == 0
    assert value["water"] == MU_WATER
    assert value["bone"] == pytest.approx(0.4, abs=0.01)


def test_metal_counts_as_water() -> None:
    image = patient()
    metal = torch.zeros_like(image, dtype=torch.bool)
    metal[..., 8:12, 20:28] = True
    prior = nmar_prior(torch.where(metal, 9.0, image), metal)
    assert torch.equal(prior[metal], torch.full_like(prior[metal], MU_WATER))


@pytest.mark.parametrize("value", [0.0, MU_WATER, 1.1 * MU_WATER])
def test_a_slice_of_one_tissue_has_a_prior_of_it(value: float) -> None:
    image = torch.full((1, 1, 16, 20), value, dtype=torch.float64)
    prior = nmar_prior(image, torch.zeros_like(image, dtype=torch.bool))
    assert torch.equal(prior, torch.full_like(image, MU_WATER if value else 0.0))


def test_muscle_is_never_bone() -> None:
    # Without bone in the slice the third cluster would start inside the soft tissue.
    image = patient().clamp_max(1.15 * MU_WATER)
    prior = nmar_prior(image, torch.zeros_like(image, dtype=torch.bool))
    assert set(prior.unique().tolist()) == {0.0, MU_WATER}


NO_METAL = torch.zeros(1, 1, 48, 48, dtype=torch.bool)


def test_soft_tissue_becomes_its_mean_by_depth_and_the_rest_stays() -> None:
    image = patient()
    prior = cnnmar_prior(image, NO_METAL)
    soft = (image > 0.12) & (image < 0.28)
    weight = torch.from_numpy(distance_transform_edt(soft[0, 0])).clamp_max(5)[None, None] / 5
    mean = (weight * image).sum() / weight.sum()
    assert set((5 * weight).unique().tolist()) >= {0, 1, 2, 3, 4, 5}
    torch.testing.assert_close(prior, mean * weight + image * (1 - weight), rtol=0, atol=1e-7)
    assert len(prior[weight == 1].unique()) == 1
    assert torch.equal(prior[~soft], image[~soft])


def test_another_ramp_is_another_depth() -> None:
    image = patient()
    steep = cnnmar_prior(image, NO_METAL, ramp=1)
    soft = (image > 0.12) & (image < 0.28)
    assert len(steep[soft].unique()) == 1


@pytest.mark.parametrize("reach", [1, 3, 5])
def test_depth_is_scipys_distance_up_to_its_reach(reach: int) -> None:
    generator = torch.Generator().manual_seed(reach)
    mask = torch.rand(3, 1, 20, 31, generator=generator) < 0.97
    expected = [np.minimum(distance_transform_edt(m), reach) for m in mask[:, 0].numpy()]
    np.testing.assert_allclose(depth(mask, reach)[:, 0], np.stack(expected), rtol=1e-6)
    assert torch.equal(depth(mask | True, reach), torch.full((3, 1, 20, 31), float(reach)))


def test_no_metal_survives_and_what_is_near_takes_its_place() -> None:
    image = patient()
    metal = NO_METAL.clone()
    metal[..., 8:12, 20:28] = True
    metal[..., 30, 14] = True
    prior = cnnmar_prior(torch.where(metal, 9.0, image), metal)
    wider = torch.nn.functional.max_pool2d(metal.double(), 3, 1, 1) > 0
    # Two implants in soft tissue do not change what is known of it.
    assert prior.max() < 0.45
    inside = set(prior[wider].tolist())
    assert inside <= set(prior[~wider].tolist())
    assert not inside & set(image[wider].tolist())


def test_holes_are_filled_from_the_nearest_pixel_outside() -> None:
    image = torch.arange(2 * 6 * 7, dtype=torch.float64).reshape(2, 1, 6, 7)
    hole = torch.zeros(2, 1, 6, 7, dtype=torch.bool)
    hole[0, :, :, 2:5] = True
    hole[1] = True
    filled = nearest(image, hole)
    assert torch.equal(filled[0, 0, :, 2], image[0, 0, :, 1])
    assert torch.equal(filled[0, 0, :, 4], image[0, 0, :, 5])
    assert torch.equal(filled[~hole], image[~hole])
    assert torch.equal(filled[1], image[1]), "nothing outside to take"


def test_dense_tissue_below_350_hu_is_not_bone() -> None:
    image = patient().clamp_max(1.3 * MU_WATER)
    prior = cnnmar_prior(image, NO_METAL)
    assert prior[0, 0, 24, 14] == prior[0, 0, 35, 24], "the bone's middle and soft tissue"
    assert cnnmar_prior(patient(), NO_METAL)[0, 0, 24, 14] == patient()[0, 0, 24, 14]


@pytest.mark.parametrize("value", [0.0, MU_WATER, 0.5])
def test_a_slice_of_one_tissue_is_its_own_cnnmar_prior(value: float) -> None:
    image = torch.full((1, 1, 16, 20), value, dtype=torch.float64)
    prior = cnnmar_prior(image, torch.zeros_like(image, dtype=torch.bool))
    torch.testing.assert_close(prior, image, rtol=1e-12, atol=0)


def test_the_order_of_pixels_does_not_matter_to_a_cnnmar_prior() -> None:
    image = patient()
    turned = cnnmar_prior(image.rot90(1, (2, 3)).flip(2), NO_METAL)
    torch.testing.assert_close(turned, cnnmar_prior(image, NO_METAL).rot90(1, (2, 3)).flip(2))
