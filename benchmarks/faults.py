"""Simulated faults that test the metrics: each should move its own metric and hardly the others."""

import numpy as np
from scipy import ndimage

from unmetal.metrics.regions import BONE_HU, Regions
from unmetal.metrics.strata import distance_to

METAL_HU = 8000.0
"""HU of the metal that is put back."""


def faults(
    truth: np.ndarray, regions: Regions, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """Name -> HU `[H W]` with the metal put back: `none`, and what is wrong in the others.

    truth: HU `[H W]`. generator: of the noise.
    """
    metal = regions.metal
    truth = truth.astype(np.float64)
    # Half of the slice, so that some bone stays: the area halves and Dice falls.
    left = np.arange(truth.shape[1]) < np.nonzero(metal)[1].mean()
    bone = regions.counted & (truth >= BONE_HU) & left
    tissue = {
        "none": truth,
        "offset of 20 HU": truth + 20,
        "noise of 20 HU": truth + generator.normal(0, 20, truth.shape),
        "blur of 1 px": ndimage.gaussian_filter(truth, 1),
        "streaks of 120 HU": truth + streaks(metal, 120, regions.pixel),
        "half the bone lost": np.where(bone, np.minimum(truth, 100), truth),
    }
    wrong = {name: np.where(metal, METAL_HU, hu) for name, hu in tissue.items()}
    shrunken = ndimage.binary_erosion(metal)
    return wrong | {"implant 1 px smaller": np.where(shrunken, METAL_HU, truth)}


def streaks(metal: np.ndarray, hu: float, pixel: float) -> np.ndarray:
    """Fourteen bright and as many dark rays from the metal, HU `[H W]`, which fade over 3 cm."""
    row, column = (at.mean() for at in np.nonzero(metal))
    rows, columns = np.ogrid[: metal.shape[0], : metal.shape[1]]
    # A square wave of 14 periods around the metal, fading by 1 / e every 3 cm.
    angle = np.arctan2(rows - row, columns - column)
    return hu * np.sign(np.sin(14 * angle)) * np.exp(-distance_to(metal, pixel) / 30)
