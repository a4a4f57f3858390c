"""A network's image is a prior: the rays beside the metal have the last word."""

from dataclasses import replace

import pytest
import torch

from unmetal.metrics.image_quality import rmse
from unmetal.physics.completion.images import nmar_image
from unmetal.physics.derive import complete, dilate
from unmetal.physics.scanner import clinical, reprojection
from unmetal.physics.simulate import Protocol, simulate
from unmetal.reduction.network_image import (
    CONSISTENCY_INPUTS,
    SEVERE_HU,
    TRUST_HU,
    blend_priors,
    enforce_data_consistency,
)
from unmetal.scan import Scan
from unmetal.units import MU_WATER, hu_to_mu, mu_to_hu

SIZE, PIXEL = 96, 2.5


@pytest.fixture(scope="module")
def simulation():
    """Two titanium rods in a body of muscle with bone, 24 cm across."""
    y, x = torch.meshgrid(*[torch.arange(SIZE) - SIZE / 2] * 2, indexing="ij")
    hu = torch.full((SIZE, SIZE), -1000.0)
    hu[(x / 42) ** 2 + (y / 34) ** 2 < 1] = 40
    hu[(x / 34) ** 2 + ((y - 4) / 8) ** 2 < 1] = 500
    metal = (y + 4) ** 2 + (x.abs() - 18) ** 2 < 3**2
    setting = Protocol(clinical(SIZE, SIZE, PIXEL / 10), photons=1e10, scatter=0, edge=1)
    draw = torch.Generator().manual_seed(0)
    return simulate(hu_to_mu(hu)[None, None], metal[None, None], ("ti",), setting, draw)


@pytest.fixture(scope="module")
def scan(simulation):
    """What a caller knows who has the image alone."""
    seen = Scan(simulation.scan.image, reprojection(SIZE, SIZE, PIXEL / 10), simulation.scan.metal)
    return complete(seen, CONSISTENCY_INPUTS, PIXEL)


def error(simulation, image):
    """RMSE in HU more than 2 px from the metal."""
    return float(
        rmse(mu_to_hu(image), mu_to_hu(simulation.free_image), ~dilate(simulation.scan.metal, 2))
    )


def test_a_network_that_knows_the_truth_and_is_believed_beats_nmar(simulation, scan):
    oracle = enforce_data_consistency(simulation.free_image, simulation.free_image, scan)
    assert error(simulation, oracle) < 0.9 * error(simulation, nmar_image(scan))


def test_one_that_dreams_far_from_what_it_was_shown_does_little_harm(simulation, scan):
    dream = simulation.scan.image + 0.4 * torch.rand_like(simulation.scan.image)
    found = error(simulation, enforce_data_consistency(dream, simulation.scan.image, scan))
    assert found < 1.1 * error(simulation, nmar_image(scan))
    assert error(simulation, dream) > 5 * found


def test_rays_beside_the_metal_change_nothing(simulation, scan):
    nothing = replace(scan, trace=torch.zeros_like(scan.trace))
    shown = torch.zeros_like(scan.image)
    torch.testing.assert_close(enforce_data_consistency(shown, scan.image, nothing), scan.image)


def test_trust_falls_with_either_change():
    image = torch.full((1, 1, 32, 32), MU_WATER)
    step = MU_WATER / 1000
    torch.testing.assert_close(blend_priors(image, image, image), image)
    network = image + TRUST_HU * step
    torch.testing.assert_close(blend_priors(network, image, image), (network + image) / 2)
    severe = image - SEVERE_HU * step
    torch.testing.assert_close(blend_priors(image, severe, image), (image + severe) / 2)
    far = image + 100 * TRUST_HU * step
    assert (blend_priors(far, image, image) - image).max() < 1e-3 * (far - image).max()
