"""The beam: filters harden it, detectors weigh it, wider energy bins change next to nothing."""

from dataclasses import replace

import torch

from unmetal.physics.beam.attenuation import ENERGIES
from unmetal.physics.beam.polychromatic import polychromatic
from unmetal.physics.beam.spectrum import Beam, spectrum

CLINICAL = Beam(120, copper=0.2, integrating=True)


def mean_energy(beam: Beam) -> float:
    return float(beam.weights() @ ENERGIES)


def test_the_default_beam_is_the_tube_as_it_is():
    assert torch.equal(Beam().weights(), spectrum(120))


def test_copper_and_an_integrating_detector_harden_the_beam():
    bare, filtered = mean_energy(Beam(120)), mean_energy(replace(CLINICAL, integrating=False))
    # A clinical tube's mean is 5 keV and more above the released ADN simulation's 55.1 keV.
    assert 4 < filtered - bare < 12
    assert mean_energy(CLINICAL) > filtered


def test_energy_bins_of_4_kev_change_line_integrals_by_less_than_a_thousandth():
    water, bone = torch.linspace(0, 7, 40), torch.linspace(0, 2, 40).flip(0)
    lines = torch.stack([water, bone])[None].double()
    fine, wide = (
        polychromatic(lines, ("water", "bone"), replace(CLINICAL, kev=kev)) for kev in (1, 4)
    )
    assert ((wide - fine).abs() <= 1e-3 * fine + 1e-6).all()
