"""Beam hardening: what a polychromatic beam does to line integrals, and polynomials against it."""

import torch
from torch import Tensor

from unmetal.physics.attenuation import ENERGIES, linear_attenuation, mass_attenuation
from unmetal.physics.inpaint import interpolate
from unmetal.units import REFERENCE_KEV

SMALLEST = 1e-300
"""cm; keeps an empty trace from dividing by zero."""


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
    x = -torch.log(torch.exp(-depth[:, None] * water) @ weights)
    return torch.linalg.pinv(powers(x)) @ (reference * depth)


def correct_water(p: Tensor, coefficients: Tensor) -> Tensor:
    """Line integrals at 70 keV from polychromatic ones `p` (any shape): a1 p + a2 p^2 + a3 p^3."""
    a1, a2, a3 = coefficients.tolist()
    return p * (a1 + p * (a2 + p * a3))


def correct_metal(sinogram: Tensor, path: Tensor, trace: Tensor) -> Tensor:
    """First-order correction of the metal's own beam hardening; metal stays in the sinogram.

    The metal's share q of each ray (`sinogram` minus its interpolation across the trace) is fitted
    by a1 L + a2 L^2 + a3 L^3 of the path L through metal, over the whole trace of a slice; then
    what is not linear in L is taken away. The polynomial without a constant is Verburg and Seco,
    Phys. Med. Biol. 57 (2012), as released with CNNMAR (Zhang and Yu, IEEE TMI 37, 2018).

    sinogram: line integrals `[B 1 V D]`. path: cm in metal `[B 1 V D]`. trace: bool `[B 1 V D]`.
    Each slice of the batch has its own fit. Outside the trace nothing changes.
    """
    thickness = torch.where(trace, path, 0).to(torch.float64)
    metal = torch.where(trace, sinogram - interpolate(sinogram, trace), 0).to(torch.float64)
    # The unit of length is ten times the longest path: the fit is then well conditioned, and where
    # a trace is too small to tell three powers apart, the least-norm answer is the straight line.
    unit = 10 * thickness.amax((1, 2, 3), keepdim=True).clamp_min(SMALLEST)
    columns = powers((thickness / unit).flatten(1))
    q, r = torch.linalg.qr(columns)
    fit = torch.linalg.pinv(r, rtol=1e-6) @ (q.mT @ metal.flatten(1)[..., None])
    curved = (columns[..., 1:] @ fit[:, 1:]).reshape(sinogram.shape)
    corrected = sinogram - curved.to(sinogram.dtype)
    return torch.where(trace, corrected, sinogram)


def powers(x: Tensor) -> Tensor:
    """x, x^2 and x^3 in a new last axis: `[...]` to `[... 3]`."""
    return torch.stack([x, x**2, x**3], dim=-1)
