"""Units: HU, attenuation in 1/cm, and the range that networks see.

Attenuation is linear attenuation at the reference energy of 70 keV. Every constant of the
conversion stands here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # neither is needed to run, and commands read METAL_HU before they load torch
    import numpy as np
    from torch import Tensor

Array = TypeVar("Array", "Tensor", "np.ndarray")

REFERENCE_KEV = 70
"""Energy (keV) at which attenuation images are stated. Source: released ADN simulation."""

MU_WATER = 0.192
"""Attenuation of water in 1/cm at 70 keV. Source: released ADN simulation (config/dataset.yaml)."""

METAL_HU = 2500.0
"""HU above which a pixel is metal. Source: the paper's rule for clinical images. It lies below
3071 HU, where 12-bit scanners saturate, so a plateau there is metal too."""

WINDOW = (0.0, 0.5)
"""Attenuation in 1/cm that maps to [-1, 1] for networks and to [0, 1] for the paper's metric.

0.5/cm is 1604.17 HU. Source: released ADN data loader.
"""


def hu_to_mu(hu: Array) -> Array:
    """Attenuation in 1/cm from Hounsfield units; any shape."""
    return hu * (MU_WATER / 1000) + MU_WATER


def mu_to_hu(mu: Array) -> Array:
    """Hounsfield units from attenuation in 1/cm; any shape."""
    return (mu - MU_WATER) * (1000 / MU_WATER)


def mu_to_unit(mu: Array) -> Array:
    """Clip to `WINDOW` and map it to [0, 1]: the range the paper's PSNR and SSIM are stated in."""
    low, high = WINDOW
    return (mu.clip(low, high) - low) / (high - low)


def mu_to_network(mu: Array) -> Array:
    """Clip to `WINDOW` and map it to [-1, 1], the range of the networks."""
    return mu_to_unit(mu) * 2 - 1


def network_to_mu(x: Array) -> Array:
    """Attenuation in 1/cm from the networks' [-1, 1]."""
    low, high = WINDOW
    return (x + 1) * ((high - low) / 2) + low
