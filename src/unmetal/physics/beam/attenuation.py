"""How much each material attenuates at each energy.

The table comes with the package (`tables/attenuation.csv`, made by `recipes/physics_tables.py`
from xraylib) and agrees with NIST's to 0.1 %.
"""

from importlib.resources import files

import numpy as np
import torch
from torch import Tensor

from unmetal.errors import InputError

MATERIALS = {
    "water": 1.0,
    "soft_tissue": 1.06,  # ICRU 44
    "bone": 1.92,  # cortical, ICRU 44
    # The densities of titanium, iron and copper are those of the released ADN simulation,
    # rounded there; its 2 g/cm3 for gold is a slip.
    "ti": 4.5,
    "fe": 7.8,
    "cu": 8.9,
    "au": 19.3,
    "steel": 7.95,  # stainless, 316L (ASTM F138)
    "cocr": 8.3,  # cobalt-chromium (ASTM F75)
    "amalgam": 11.6,  # dental
}
"""Density of every material in g/cm3; its name is its column in the attenuation table."""


def columns(table: str) -> dict[str, Tensor]:
    """Columns of one of the package's tables by their names, each float64 `[E]`."""
    # Lines that begin with # state the table's source.
    text = (files("unmetal.physics.beam") / "tables" / table).read_text(encoding="ascii")
    head, *rows = [line for line in text.splitlines() if not line.startswith("#")]
    values = torch.from_numpy(np.array([row.split(",") for row in rows], dtype=np.float64))
    return dict(zip(head.split(","), values.unbind(1), strict=True))


_ATTENUATION = columns("attenuation.csv")

ENERGIES = _ATTENUATION["energy_kev"]
"""keV, float64 `[E]`: 20 to 140 in steps of one. The axis of every spectrum and attenuation."""


def mass_attenuation(name: str, energies: Tensor = ENERGIES) -> Tensor:
    """Mass attenuation with coherent scattering, cm2/g, float64 `[E]` on `energies` in keV.

    Between two energies of the table it is interpolated. Raises `InputError` for a material that
    is not in the table and `ValueError` for an energy outside of it.
    """
    if name not in MATERIALS:
        raise InputError(f"no material {name!r}; there are {', '.join(MATERIALS)}")
    values = _ATTENUATION[name]
    if energies is ENERGIES:
        return values
    if energies.min() < ENERGIES[0] or energies.max() > ENERGIES[-1]:
        raise ValueError(f"the table has {ENERGIES[0]:g} to {ENERGIES[-1]:g} keV")
    return torch.from_numpy(np.interp(energies.numpy(), ENERGIES.numpy(), values.numpy()))


def linear_attenuation(name: str, kev: float) -> float:
    """Linear attenuation at one energy (keV), 1/cm: the mass attenuation times the density."""
    energy = torch.tensor([float(kev)], dtype=torch.float64)
    return float(mass_attenuation(name, energy)) * MATERIALS[name]
