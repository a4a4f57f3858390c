"""The tube that comes with the package, and how near it is to the original one."""

from pathlib import Path

import pytest
import scipy.io
import torch

from unmetal.errors import InputError
from unmetal.physics.beam.attenuation import ENERGIES
from unmetal.physics.beam.spectrum import spectrum


@pytest.mark.parametrize("kvp", [80, 100, 120, 140])
def test_photons_sum_to_one_and_none_exceeds_the_voltage(kvp: int) -> None:
    photons = spectrum(kvp)
    assert photons.shape == ENERGIES.shape
    assert photons.sum().item() == pytest.approx(1, abs=1e-12)
    assert (photons >= 0).all()
    assert photons[kvp < ENERGIES].sum() == 0
    assert photons[kvp > ENERGIES].min() > 0


def test_more_voltage_is_a_harder_beam() -> None:
    means = torch.stack([(spectrum(kvp) * ENERGIES).sum() for kvp in (80, 100, 120, 140)])
    assert (means.diff() > 4).all()


def test_tungsten_lines_are_there() -> None:
    photons = spectrum(120)
    peaks = {int(ENERGIES[i]) for i in photons.topk(2).indices}
    assert peaks == {58, 59}  # K alpha 2 and 1: 57.98 and 59.32 keV


def test_as_near_to_the_original_as_was_measured(reference: Path) -> None:
    name = "GE14Spectrum120KVP"
    original = scipy.io.loadmat(reference / "spectra" / f"{name}.mat")[name][19:120, 1]
    original = torch.from_numpy(original / original.sum())
    difference = spectrum(120)[:101] - original
    # Most of the sum is the characteristic lines, which the original smears over 4 keV.
    assert difference.abs().sum() < 0.14
    assert difference.cumsum(0).abs().max() < 0.025
    mean = (original * ENERGIES[:101]).sum().item()
    assert (spectrum(120) * ENERGIES).sum().item() == pytest.approx(mean, abs=0.6)


def test_another_voltage_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="110 kVp; there are 80, 100, 120, 140 kVp"):
        spectrum(110)
