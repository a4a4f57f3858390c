"""A cylinder of water in a scanner of known settings, and what physicists measure of it."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from unmetal.physics.machines import MACHINES
from unmetal.physics.protocol import Protocol
from unmetal.physics.simulate import Simulation, simulate
from unmetal.units import MU_WATER

SIZE, PIXEL = 128, 400 / 128
"""Pixels, and mm a pixel."""


def setting(machine: str, photons: float = 1e6, **changes: object) -> Protocol:
    """A machine at 120 kVp without scatter, motion and electronic noise, unless changed."""
    fixed = replace(
        MACHINES[machine], kvp=(120,), photons=(photons, photons), motion_probability=0, fov=None
    )
    drawn = fixed.draw(np.random.default_rng(0), (SIZE, SIZE), PIXEL)
    return replace(drawn, **{"scatter_model": None, "electronic": 0.0, "motion": None, **changes})


def with_kernel(protocol: Protocol, kernel: str) -> Protocol:
    return replace(protocol, scanner=replace(protocol.scanner, kernel=kernel))


def radius(row: float = 0.0, column: float = 0.0) -> Tensor:
    """`[H W]`, mm: distance of each pixel from a point, itself in mm off the middle."""
    place = (torch.arange(SIZE) - (SIZE - 1) / 2) * PIXEL
    return torch.hypot(place[:, None] - row, place[None] - column)


def cylinder(diameter: float, row: float = 0.0, column: float = 0.0) -> Tensor:
    """`[1 1 H W]`, 1/cm: water, with a smooth edge; mm."""
    share = ((diameter / 2 - radius(row, column)) / PIXEL + 0.5).clamp(0, 1)
    return (share * MU_WATER)[None, None]


def scan(clean: Tensor, protocol: Protocol, seed: int = 0, metal: Tensor | None = None):  # type: ignore[no-untyped-def]
    """The simulation of a slice, without metal unless there is some (steel)."""
    share = torch.zeros_like(clean) if metal is None else metal
    generator = torch.Generator().manual_seed(seed)
    done: Simulation = simulate(clean, share, ("steel",), protocol, generator)
    return done


def noise(protocol: Protocol, diameter: float = 200) -> Tensor:
    """`[H W]`, 1/cm: what the noise adds to a cylinder."""
    done = scan(cylinder(diameter), protocol)
    return (done.free_image - done.scan.clean)[0, 0]


def power(image: Tensor) -> Tensor:
    """Noise power by radial frequency, in 16 steps up to Nyquist: of the middle 64 x 64 pixels."""
    middle = image[32:96, 32:96]
    spectrum = torch.fft.fft2(middle - middle.mean()).abs() ** 2
    frequency = torch.fft.fftfreq(64)
    bins = (torch.hypot(frequency[:, None], frequency[None]) * 32).long()
    return torch.stack([spectrum[bins == k].mean() for k in range(16)])


def mtf(image: Tensor, diameter: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (cycles per mm) and the modulation transfer there, of the edge of a cylinder
    `[H W]`: the edge's profile by radius, its slope, its spectrum."""
    step = PIXEL / 8
    place = ((radius() - diameter / 2) / step).round().long() + 128
    near = (place >= 0) & (place < 256)
    count = np.bincount(place[near].numpy(), minlength=256)
    total = np.bincount(place[near].numpy(), image[near].numpy(), minlength=256)
    filled = np.flatnonzero(count)
    profile = np.interp(np.arange(256), filled, total[filled] / count[filled])
    slope = np.diff(profile) * np.hanning(255)
    spectrum = np.abs(np.fft.rfft(slope))
    return np.fft.rfftfreq(255, step), spectrum / spectrum[0]


def half(frequency: np.ndarray, transfer: np.ndarray) -> float:
    """The frequency at which the transfer falls to a half."""
    first = int(np.argmax(transfer < 0.5))
    return float(np.interp(0.5, transfer[[first, first - 1]], frequency[[first, first - 1]]))
