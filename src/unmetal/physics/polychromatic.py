"""What a polychromatic beam makes of line integrals, and the scanner's correction for water."""

from functools import lru_cache

import torch
from torch import Tensor

from unmetal.physics.attenuation import ENERGIES, mass_attenuation
from unmetal.physics.hardening import water_coefficients
from unmetal.physics.spectrum import Beam
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
    groups = list(zip(relative.split(beam.kev, 1), weights.split(beam.kev), strict=True))
    means = [(part * share).sum(1) / share.sum() for part, share in groups]
    return torch.stack(means, 1), torch.stack([share.sum() for _, share in groups])


def polychromatic(integrals: Tensor, materials: tuple[str, ...], beam: Beam) -> Tensor:
    """What a detector without noise measures, `[B 1 ...]`, of line integrals at 70 keV, one
    channel a material `[B M ...]`."""
    relative, weights = (table.to(integrals) for table in _table(materials, beam))
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
    """`hardening.water_coefficients` of a beam, computed once."""
    return water_coefficients(beam.weights())
