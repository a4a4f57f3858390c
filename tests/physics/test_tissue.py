"""T25 of the specification: clusters and the prior of NMAR."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from unmetal.physics.tissue import boundaries, nmar_prior, smooth
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


def lloyd(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The textbook algorithm, value by value."""
    while True:
        label = np.abs(values[:, None] - centres).argmin(1)
        moved = np.array([values[label == k].mean() for k in range(len(centres))])
        if np.allclose(moved, centres, rtol=0, atol=1e-15):
            return (moved[1:] + moved[:-1]) / 2
        centres = moved


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
