"""X-ray tube spectra, and how a detector weighs them.

A tungsten anode of 8 degrees behind 2.5 mm of aluminium: at 120 kVp the tube nearest to the
lightly filtered spectrum of the released ADN simulation (`recipes/physics_tables.py` has the
search). Clinical tubes are filtered more, and bow ties more still: 0.1 mm of `Beam.copper` raises
the mean by 5 keV, 0.2 mm by 8.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from unmetal.errors import InputError
from unmetal.physics.beam.attenuation import ENERGIES, MATERIALS, columns, mass_attenuation

_SPECTRA = columns("spectra.csv")


def spectrum(kvp: int) -> Tensor:
    """Share of the photons in each keV of `attenuation.ENERGIES`, float64 `[E]`, sum 1.

    Raises `InputError` for a tube voltage that is not in the table.
    """
    voltages = [name for name in _SPECTRA if name != "energy_kev"]
    if str(kvp) not in voltages:
        raise InputError(f"no spectrum for {kvp} kVp; there are {', '.join(voltages)} kVp")
    photons = _SPECTRA[str(kvp)]
    return photons / photons.sum()


@dataclass(frozen=True)
class Beam:
    """What leaves the tube and how the detector weighs it; the default is the ADN paper's."""

    kvp: int = 120
    """Tube voltage, one of the table's."""
    copper: float = 0.0
    """mm of copper behind the tube; 0.1 mm stands for 2 to 3 mm of aluminium (at 60 and 40 keV)."""
    integrating: bool = False
    """The detector weighs a photon by its energy, as scintillators do, or counts all alike."""
    kev: int = 1
    """Width in keV of the energy bins that line integrals are computed in."""

    def weights(self) -> Tensor:
        """Share of the signal in each keV of `attenuation.ENERGIES` without an object, float64
        `[E]`, sum 1."""
        seen = spectrum(self.kvp)
        if self.copper:
            # Beer and Lambert: mm of copper to g/cm2, times its mass attenuation in cm2/g.
            path = MATERIALS["cu"] * self.copper / 10
            seen = seen * torch.exp(-mass_attenuation("cu") * path)
        if self.integrating:
            # A scintillator gives light in proportion to the energy that it absorbs.
            seen = seen * ENERGIES
        return seen / seen.sum()
