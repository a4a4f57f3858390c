"""Counting photons: scatter, quantum and electronic noise, the logarithm, the water correction."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.beam.polychromatic import correct_water, water_coefficients_of
from unmetal.physics.protocol import Protocol


def measure(integrals: Tensor, protocol: Protocol, generator: torch.Generator | None) -> Tensor:
    """What the scanner reports, for line integrals `[B 1 V D]` of the primary beam alone: photons,
    scatter, noise, logarithm, water correction. Without a `scatter_model`, which couples the rays
    of a view, any shape will do.

    generator: draws the noise; None leaves it out.
    """
    photons = protocol.photons
    # Photons behind the object, by Beer and Lambert.
    expected = photons * torch.exp(-integrals)
    if generator is not None:
        expected = expected.round()
    expected = expected + protocol.scatter
    removed: Tensor | float = 0.0
    if protocol.scatter_model is not None:
        haze = photons * protocol.scatter_model(integrals)
        expected = expected + haze
        removed = protocol.scatter_model.corrected * haze
    signal = expected - removed
    if generator is not None:
        counted = torch.poisson(expected, generator)
        if protocol.electronic:
            noise = torch.randn(counted.shape, generator=generator, device=counted.device)
            counted = counted + protocol.electronic * noise.to(counted)
        signal = counted - removed
        if protocol.adaptive_smoothing:
            signal = adaptive_smoothing(signal, protocol.adaptive_smoothing, protocol.electronic)
    # Clamp at the noise floor before the logarithm.
    signal = signal.clamp_min(max(1.0, protocol.electronic))
    # Line integrals again, of a polychromatic beam, and then corrected for water.
    seen = -torch.log(signal / photons)
    return correct_water(seen, water_coefficients_of(protocol.beam))


def adaptive_smoothing(signal: Tensor, noise: float, electronic: float) -> Tensor:
    """Photons `[B 1 V D]` with those smoothed, over 3 views and 5 bins, whose noise relative to
    themselves exceeds `noise`; the more so the fewer they are.

    Every scanner does something of the kind (Hsieh, Med. Phys. 25, 1998): without it the streaks of
    starved rays drown the slice. electronic: standard deviation, photons.
    """
    mean = F.avg_pool2d(F.pad(signal, (2, 2, 1, 1), mode="replicate"), (3, 5), 1)
    # n photons have the noise (n + electronic^2) / n^2 squared; solved for n.
    half = 1 / (2 * noise**2)
    enough = half + math.sqrt(half**2 + (electronic / noise) ** 2)
    return torch.lerp(mean, signal, (mean / enough).clamp(0, 1))
