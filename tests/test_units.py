"""T28 of the specification: HU, attenuation and the networks' range."""

import pytest
import torch

from unmetal.units import hu_to_mu, mu_to_hu, mu_to_network, mu_to_unit, network_to_mu


@pytest.mark.parametrize(("mu", "x"), [(0, -1), (0.25, 0), (0.5, 1), (0.6, 1), (-0.1, -1)])
def test_attenuation_to_the_networks_range(mu: float, x: float) -> None:
    assert mu_to_network(torch.tensor(mu)).item() == pytest.approx(x)
    assert mu_to_unit(torch.tensor(mu)).item() == pytest.approx((x + 1) / 2)


@pytest.mark.parametrize(("hu", "x"), [(-1000, -1), (0, -0.232), (1604.17, 1)])
def test_hu_to_the_networks_range(hu: float, x: float) -> None:
    mu = hu_to_mu(torch.tensor(hu, dtype=torch.float64))
    assert mu_to_network(mu).item() == pytest.approx(x, abs=1e-5)


def test_there_and_back() -> None:
    hu = torch.linspace(-1000, 1604, 50, dtype=torch.float64)
    mu = hu_to_mu(hu)
    torch.testing.assert_close(mu_to_hu(mu), hu)
    torch.testing.assert_close(network_to_mu(mu_to_network(mu)), mu)
    torch.testing.assert_close(mu_to_hu(hu_to_mu(hu.numpy())), hu.numpy())
