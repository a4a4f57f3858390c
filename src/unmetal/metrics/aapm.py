"""The eight metrics of the AAPM CT-MAR challenge, each an error: 0 is perfect, more is worse.

Written from its published description (scoring_metric.md of xcist/example, 2024), not from its
code. What it draws by hand, case by case, `regions` draws by rule, so numbers are not comparable
with those of the challenge; methods are with each other. Images have the metal put back.
"""

import math

import numpy as np
import torch
from scipy import ndimage

from unmetal.metrics.image_quality import SOFT_TISSUE_HU, ssim_gaussian
from unmetal.metrics.proton import range_error
from unmetal.metrics.regions import BONE_HU, Regions

BREAKS = {
    "ct_number": (0.0, 15.0, 30.0, 45.0, 60.0),
    "sharpness": (0.0, 0.06, 0.15, 0.33, 0.44),
    "similarity": (0.0, 0.01, 0.02, 0.03, 0.04),
    "proton": (0.0, 0.005, 0.010, 0.015, 0.020),
}
"""Errors that score 0, 1, 2, 3 and 4. Those of sharpness (blur of 0, 0.4, 0.5, 0.75 and 1 px) and
of the proton range hold for all cases of the challenge, the others for its case 01; the rest have
none that is known."""


def aapm(output: np.ndarray, truth: np.ndarray, regions: Regions) -> dict[str, float]:
    """The eight errors of a slice, HU `[H W]` with the metal put back, against the truth with the
    same metal in it; NaN where a region is empty.

    - `ct_number`: HU, root mean square error in the body, farther than 2 px from metal.
    - `noise`: HU of standard deviation more than the truth has, in a homogeneous disc.
    - `sharpness`: share of the slope that edges have lost: the 90th percentile of Sobel's magnitude
      against the truth's, mean of soft tissue and bone. Sharper than the truth is 0.
    - `streak`: HU, mean of the largest 5 % of errors minus mean of the smallest 5 %.
    - `similarity`: 1 - SSIM, Gaussian, for a range of 5000 HU.
    - `metal`, `bone`: mean of the relative error in area and of 1 - Dice.
    - `proton`: error in range, as a share of the longest.
    """
    return {
        "ct_number": _ct_number(output, truth, regions),
        "noise": _noise(output, truth, regions),
        "sharpness": _sharpness(output, truth, regions),
        "streak": extremes((output.astype(np.float64) - truth)[regions.streak]),
        "similarity": _similarity(output, truth, regions),
        "metal": integrity((output > regions.metal_hu) & regions.around, regions.metal),
        "bone": _bone_integrity(output, truth, regions),
        "proton": range_error(output, truth, regions.beam),
    }


def _ct_number(output: np.ndarray, truth: np.ndarray, regions: Regions) -> float:
    # sqrt(mean((output - truth)^2)).
    error = (output.astype(np.float64) - truth)[regions.counted]
    return math.sqrt((error**2).mean()) if error.size else math.nan


def _noise(output: np.ndarray, truth: np.ndarray, regions: Regions) -> float:
    if not regions.noise.any():
        return math.nan
    # Less noise than the truth is no error here: blur is charged as lost sharpness.
    its, true = (float(hu[regions.noise].astype(np.float64).std()) for hu in (output, truth))
    return max(0.0, its - true)


def _sharpness(output: np.ndarray, truth: np.ndarray, regions: Regions) -> float:
    there = [where for where in (regions.soft_edge, regions.bone_edge) if where.any()]
    if not there:
        return math.nan
    its, true = (_sobel(hu) for hu in (output, truth))
    # The 90th percentile: the steep part of the edges, but no single pixel of noise.
    kept = [np.percentile(its[where], 90) / np.percentile(true[where], 90) for where in there]
    return max(0.0, 1 - float(np.mean(kept)))


def _sobel(hu: np.ndarray) -> np.ndarray:
    """Magnitude of Sobel's gradient, `[H W]`."""
    hu = hu.astype(np.float64)
    return np.hypot(ndimage.sobel(hu, 0), ndimage.sobel(hu, 1))


def extremes(values: np.ndarray) -> float:
    """Mean of the largest 5 % of values `[N]` minus mean of the smallest; NaN of none."""
    if not values.size:
        return math.nan
    # At least one value, in a region of less than 20 pixels.
    some = max(1, round(0.05 * values.size))
    ordered = np.sort(values)
    return float(ordered[-some:].mean() - ordered[:some].mean())


def _similarity(output: np.ndarray, truth: np.ndarray, regions: Regions) -> float:
    """Near metal both images are `SOFT_TISSUE_HU`, as the challenge does."""
    if not regions.counted.any():
        return math.nan
    filled = (np.where(regions.near, SOFT_TISSUE_HU, hu) for hu in (output, truth))
    # `[H W]` to `[1 1 H W]`, which the SSIM of image_quality takes.
    x, y = (torch.from_numpy(hu)[None, None] for hu in filled)
    where = torch.from_numpy(regions.counted)[None, None]
    return max(0.0, 1 - ssim_gaussian(x, y, 5000.0, where).item())


def _bone_integrity(output: np.ndarray, truth: np.ndarray, regions: Regions) -> float:
    """Bone is 150 to 2500 HU in the body, farther than 2 px from metal: closer, blur of the metal
    itself, which is in the truth as well, would count as bone."""
    its, true = (regions.counted & (hu >= BONE_HU) & (hu < 2500) for hu in (output, truth))
    return integrity(its, true)


def integrity(its: np.ndarray, true: np.ndarray) -> float:
    """Mean of the relative error in area and of 1 - Dice, of masks bool `[H W]`; NaN where the true
    one is empty."""
    area, whole = int(its.sum()), int(true.sum())
    if not whole:
        return math.nan
    # 2 |A and B| / (|A| + |B|), next to the error in area: one tells shifts, the other sizes.
    dice = 2 * int((its & true).sum()) / (area + whole)
    return (abs(area - whole) / whole + 1 - dice) / 2


def score(metric: str, error: float) -> float:
    """0 (perfect) to 4 (useless) by `BREAKS`, linear between; NaN for a metric without."""
    if metric not in BREAKS or math.isnan(error):
        return math.nan
    return float(np.interp(error, BREAKS[metric], range(5)))
