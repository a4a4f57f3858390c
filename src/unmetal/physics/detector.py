"""Counting photons: scatter, quantum and electronic noise, the logarithm, the water correction."""

import torch
from torch import Tensor

from unmetal.physics.hardening import correct_water
from unmetal.physics.polychromatic import water_coefficients_of
from unmetal.physics.protocol import Protocol


def measure(integrals: Tensor, protocol: Protocol, generator: torch.Generator | None) -> Tensor:
    """Line integrals as the scanner states them, of those `[B 1 V D]` that the primary beam alone
    would measure (any shape where the protocol has no haze, which couples the rays of a view).

    generator: draws the noise; None leaves it out.
    """
    photons = protocol.photons
    expected = photons * torch.exp(-integrals)
    if generator is not None:
        expected = expected.round()
    expected = expected + protocol.scatter
    removed: Tensor | float = 0.0
    if protocol.haze is not None:
        haze = photons * protocol.haze(integrals)
        expected = expected + haze
        removed = protocol.haze.corrected * haze
    counted = expected if generator is None else _counted(expected, protocol, generator)
    # Below the electronic noise nothing is told from nothing.
    signal = (counted - removed).clamp_min(max(1.0, protocol.electronic))
    seen = -torch.log(signal / photons)
    return correct_water(seen, water_coefficients_of(protocol.beam))


def _counted(expected: Tensor, protocol: Protocol, generator: torch.Generator) -> Tensor:
    counted = torch.poisson(expected, generator)
    if protocol.electronic:
        noise = torch.randn(counted.shape, generator=generator, device=counted.device)
        counted = counted + protocol.electronic * noise.to(counted)
    return counted
