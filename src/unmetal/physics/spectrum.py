"""Spectra of X-ray tubes.

A tungsten anode of 8 degrees behind 2.5 mm of aluminium: at 120 kVp the tube nearest to the
lightly filtered spectrum of the released ADN simulation (`recipes/physics_tables.py` has the
search). A clinical tube is filtered more, with a mean 5 keV higher.
"""

from functools import cache

from torch import Tensor

from unmetal.errors import InputError
from unmetal.physics.attenuation import columns


@cache
def _spectra() -> dict[str, Tensor]:
    return columns("spectra.csv")


def spectrum(kvp: int) -> Tensor:
    """Share of the photons in each keV of `attenuation.ENERGIES`, float64 `[E]`, sum 1.

    Raises `InputError` for a tube voltage that is not in the table.
    """
    voltages = [name for name in _spectra() if name != "energy_kev"]
    if str(kvp) not in voltages:
        raise InputError(f"no spectrum for {kvp} kVp; there are {', '.join(voltages)} kVp")
    photons = _spectra()[str(kvp)]
    return photons / photons.sum()
