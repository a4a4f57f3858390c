"""A small patient with two metal hips, scanned."""

from functools import cache

import torch
from torch import Tensor

from unmetal.metrics.image_quality import rmse
from unmetal.physics.derive import dilate
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, Simulation, simulate
from unmetal.units import MU_WATER, mu_to_hu


def ellipse(center: tuple[float, float], axes: tuple[float, float], size: int) -> Tensor:
    """Share of each pixel `[1 1 H W]` inside an ellipse (cm) on a field of 24 cm, float64."""
    fine = 4 * size
    place = (torch.arange(fine, dtype=torch.float64) - (fine - 1) / 2) * 24 / fine
    y, x = torch.meshgrid(place, place, indexing="ij")
    inside = ((x - center[0]) / axes[0]) ** 2 + ((y - center[1]) / axes[1]) ** 2 < 1
    return torch.nn.functional.avg_pool2d(inside.double()[None, None], 4)


@cache
def scanned(metal: str = "ti", size: int = 128) -> Simulation:
    """Water, bone and two discs of metal 3 to 4 cm across, on a scanner without much noise."""
    body = ellipse((0, 0), (10, 7.5), size) * MU_WATER
    bone = ellipse((3, -4.5), (1.5, 1.5), size) + ellipse((0, -5), (1, 0.8), size)
    hips = ellipse((-4, 2), (1.8, 1.4), size) + ellipse((5, 1.5), (1.4, 1.8), size)
    clean = torch.maximum(body, 0.35 * bone.clamp_max(1))
    protocol = Protocol(clinical(size, size, 24 / size), photons=1e9, scatter=0, edge=1)
    return simulate(clean, hips, [metal], protocol, torch.Generator().manual_seed(0))


def error(simulation: Simulation, image: Tensor) -> float:
    """RMSE in HU against the scan without metal, more than 2 px from the metal."""
    assert simulation.scan.metal is not None
    far = ~dilate(simulation.scan.metal, 2)
    return float(rmse(mu_to_hu(image), mu_to_hu(simulation.free_image), far))
