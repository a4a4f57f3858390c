"""Line integrals as a polychromatic beam measures them, and the scanner's water correction."""

from functools import lru_cache

import torch
from torch import Tensor

from unmetal.physics.beam.attenuation import ENERGIES, linear_attenuation, mass_attenuation
from unmetal.physics.beam.spectrum import Beam
from unmetal.units import REFERENCE_KEV


@lru_cache(maxsize=64)
def _table(materials: tuple[str, ...], beam: Beam) -> tuple[Tensor, Tensor]:
    """Attenuation relative to 70 keV `[M E]`, and shares of the signal `[E]`, where there is any.

    In wider bins than a keV attenuation is the signal's mean.
    """
    weights = beam.weights()
    reference = int((ENERGIES == REFERENCE_KEV).nonzero())
    tables = [mass_attenuation(material) for material in materials]
    relative = torch.stack([table / table[reference] for table in tables])
    some = weights > 0
    relative, weights = relative[:, some], weights[some]
    if beam.kev == 1:
        return relative, weights
    # Neighbors of `kev` keV become one bin, with their share of the signal as its weight.
    groups = list(zip(relative.split(beam.kev, 1), weights.split(beam.kev), strict=True))
    means = [(part * share).sum(1) / share.sum() for part, share in groups]
    return torch.stack(means, 1), torch.stack([share.sum() for _, share in groups])


def polychromatic(integrals: Tensor, materials: tuple[str, ...], beam: Beam) -> Tensor:
    """What a detector without noise measures, `[B 1 ...]`, of line integrals at 70 keV, one
    channel a material `[B M ...]`."""
    relative, weights = (table.to(integrals) for table in _table(materials, beam))
    # I / I0 = sum over energies of w(E) exp(-sum over materials of p_m mu_m(E) / mu_m(70 keV)).
    rays = integrals.movedim(1, -1)
    # 4096 rays x 101 energies are 1.6 MB and stay in the cache of a core.
    some = 4096 if integrals.device.type == "cpu" else 2**20
    seen = [
        -torch.log(torch.exp(-(part @ relative)) @ weights)
        for part in rays.reshape(-1, len(materials)).split(some)
    ]
    return torch.cat(seen).reshape(rays.shape[:-1])[:, None]


@lru_cache(maxsize=16)
def water_coefficients_of(beam: Beam) -> Tensor:
    """`water_coefficients` of a beam, computed once."""
    return water_coefficients(beam.weights())


def water_coefficients(spectrum: Tensor, energies: Tensor = ENERGIES) -> Tensor:
    """Coefficients `[3]` that turn polychromatic line integrals of water into those at 70 keV.

    Least squares of y = a1 x + a2 x^2 + a3 x^3, without a constant so that air stays air, over
    0 to 50 cm of water in steps of 0.5 mm: x is measured with `spectrum` (photons `[E]` on
    `energies` in keV, any scale), y is the line integral at 70 keV.
    Source: released ADN simulation.
    """
    water = mass_attenuation("water", energies)
    reference = linear_attenuation("water", REFERENCE_KEV)
    depth = torch.arange(1001, dtype=torch.float64) * 0.05
    weights = spectrum.to(torch.float64) / spectrum.sum()
    # What the beam measures behind `depth` cm of water, `[1001]`.
    x = -torch.log(torch.exp(-depth[:, None] * water) @ weights)
    return torch.linalg.pinv(powers(x)) @ (reference * depth)


def correct_water(p: Tensor, coefficients: Tensor) -> Tensor:
    """Line integrals at 70 keV from polychromatic ones `p` (any shape): a1 p + a2 p^2 + a3 p^3."""
    a1, a2, a3 = coefficients.tolist()
    return p * (a1 + p * (a2 + p * a3))


def powers(x: Tensor) -> Tensor:
    """x, x^2 and x^3 in a new last axis: `[...]` to `[... 3]`."""
    return torch.stack([x, x**2, x**3], dim=-1)
