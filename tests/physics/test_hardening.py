"""T21 of the specification, and the water correction of the original simulation."""

from pathlib import Path

import pytest
import scipy.io
import torch

from unmetal.physics.beam.attenuation import ENERGIES, linear_attenuation, mass_attenuation
from unmetal.physics.beam.polychromatic import correct_water, water_coefficients
from unmetal.physics.beam.spectrum import spectrum
from unmetal.physics.completion.images import correct_metal

SHAPE = (2, 1, 20, 64)


def rays(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A sinogram without metal that is linear in the bin (LI is exact), a path and its trace."""
    generator = torch.Generator().manual_seed(seed)
    background = torch.linspace(1, 3, SHAPE[-1], dtype=torch.float64).expand(SHAPE)
    trace = torch.zeros(SHAPE, dtype=torch.bool)
    trace[0, :, :, 10:30] = True
    trace[1, :, 5:15, 40:60] = True
    path = torch.rand(SHAPE, generator=generator, dtype=torch.float64) * 3 * trace
    return background, path, trace


def test_coefficients_of_the_original_spectrum(reference: Path) -> None:
    name = "GE14Spectrum120KVP"
    original = scipy.io.loadmat(reference / "spectra" / f"{name}.mat")[name][19:120, 1]
    coefficients = water_coefficients(torch.from_numpy(original), ENERGIES[:101])
    expected = torch.tensor([0.80370, 0.023014, -0.00084440], dtype=torch.float64)
    torch.testing.assert_close(coefficients, expected, rtol=2e-3, atol=0)


@pytest.mark.parametrize("kvp", [80, 100, 120, 140])
def test_water_of_any_depth_becomes_what_70_kev_would_see(kvp: int) -> None:
    depth = torch.linspace(0, 40, 30, dtype=torch.float64)
    photons = spectrum(kvp)
    measured = -torch.log(torch.exp(-depth[:, None] * mass_attenuation("water")) @ photons)
    corrected = correct_water(measured, water_coefficients(photons))
    expected = depth * linear_attenuation("water", 70)
    torch.testing.assert_close(corrected, expected, rtol=0, atol=0.03)
    assert (measured - expected).abs().max() > 0.3


def test_one_energy_needs_no_correction() -> None:
    photons = (ENERGIES == 70).to(torch.float64)
    expected = torch.tensor([1, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(water_coefficients(photons), expected, rtol=0, atol=1e-9)


def test_a_linear_metal_is_left_alone() -> None:
    background, path, trace = rays()
    p = background + 2.4 * path
    torch.testing.assert_close(correct_metal(p, path, trace), p, rtol=0, atol=1e-9)


def test_a_cubic_metal_is_made_linear_slice_by_slice() -> None:
    background, path, trace = rays()
    b = torch.tensor([-0.3, -0.1], dtype=torch.float64)[:, None, None, None]
    c = torch.tensor([0.02, 0.01], dtype=torch.float64)[:, None, None, None]
    p = background + 2.4 * path + b * path**2 + c * path**3
    corrected = correct_metal(p, path, trace)
    torch.testing.assert_close(corrected, background + 2.4 * path, rtol=0, atol=1e-9)
    assert torch.equal(corrected[~trace], p[~trace])


def test_the_unit_of_length_does_not_matter() -> None:
    background, path, trace = rays()
    p = background + 2.4 * path - 0.3 * path**2 + torch.sin(9 * path) * trace
    in_mm = correct_metal(p, 10 * path, trace)
    torch.testing.assert_close(in_mm, correct_metal(p, path, trace), rtol=0, atol=1e-9)


def test_no_metal_is_the_identity() -> None:
    background, path, _ = rays()
    nothing = torch.zeros(SHAPE, dtype=torch.bool)
    assert torch.equal(correct_metal(background, 0 * path, nothing), background)


@pytest.mark.parametrize("bins", [1, 2])
def test_a_trace_too_small_for_a_cubic_counts_as_straight(bins: int) -> None:
    background, _, _ = rays()
    trace = torch.zeros(SHAPE, dtype=torch.bool)
    trace[:, :, 3, 10 : 10 + bins] = True
    path = 0.7 * trace
    corrected = correct_metal(background + 2.4 * path, path, trace)
    # 1 % of 1.7 is what the least-norm answer puts into the powers.
    assert (corrected - background - 2.4 * path).abs().max() < 0.02
