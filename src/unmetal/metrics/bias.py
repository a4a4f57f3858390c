"""How wrong HU are, by distance from metal."""

import math

import numpy as np

from unmetal.metrics.strata import BANDS_MM, band_of

KEYS = tuple(f"{int(a)}_{int(b)}" for a, b in zip((0.0, *BANDS_MM), BANDS_MM, strict=False))
"""`0_5` to `20_40`, mm: the bands that rows hold. Beyond, hardly an artifact is left."""


def hu_bias(
    output: np.ndarray, truth: np.ndarray, metal: np.ndarray, body: np.ndarray, pixel: float
) -> dict[str, float]:
    """`bias_0_5` to `bias_20_40`, the mean error, and `rmse_0_5` to `rmse_20_40`, its root mean
    square, of the body in each band by distance from metal; HU, NaN where a band is empty.

    output, truth: HU `[H W]`. metal, body: bool `[H W]`; metal itself does not count. pixel: mm.
    Values are not clipped: what reads 9000 HU beside a screw is that wrong.
    """
    counted = body & ~metal
    band = band_of(metal, pixel)[counted]
    error = (output.astype(np.float64) - truth)[counted]
    voxels, total, squares = (
        np.bincount(band, weights, len(KEYS) + 1) for weights in (None, error, error**2)
    )
    found = {}
    for i, key in enumerate(KEYS):
        some = voxels[i] > 0
        found[f"bias_{key}"] = float(total[i] / voxels[i]) if some else math.nan
        found[f"rmse_{key}"] = math.sqrt(squares[i] / voxels[i]) if some else math.nan
    return found
