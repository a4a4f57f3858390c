"""Voxels by tissue and by distance from metal, and the HU error in each stratum."""

import math

import numpy as np
from scipy import ndimage

TISSUES = ("air", "fat", "soft tissue", "bone")
"""By HU: air and lung, fat, muscle and organs, bone and what is as dense (contrast medium)."""

TISSUE_HU = (-190.0, -30.0, 150.0)
"""HU at which one tissue ends and the next begins. Source: the ranges of body composition by CT,
fat -190 to -30 and muscle -29 to 150 (Mitsiopoulos et al., J Appl Physiol 85(1), 1998)."""

BANDS_MM = (5.0, 10.0, 20.0, 40.0)
"""Ends of the bands by distance from metal, mm; the last band is everything beyond."""

BANDS = ("0 to 5 mm", "5 to 10 mm", "10 to 20 mm", "20 to 40 mm", "beyond 40 mm")

KEYS = tuple(f"{int(a)}_{int(b)}" for a, b in zip((0.0, *BANDS_MM), BANDS_MM, strict=False))
"""`0_5` to `20_40`, mm: the bands that rows hold. Beyond, hardly an artifact is left."""


def tissue_of(hu: np.ndarray) -> np.ndarray:
    """Place in `TISSUES` of each value in HU, any shape."""
    # A value at a bound belongs to the denser tissue.
    return np.searchsorted(TISSUE_HU, hu, side="right")


def distance_to(mask: np.ndarray, pixel: float) -> np.ndarray:
    """mm to the nearest pixel of a mask, bool `[H W]`, 0 within; infinite where there is none.

    pixel: mm.
    """
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return ndimage.distance_transform_edt(~mask) * pixel


def depth_in(mask: np.ndarray, pixel: float) -> np.ndarray:
    """mm from each pixel of a mask, bool `[H W]`, to the nearest outside it; pixel in mm."""
    # What is outside the slice is outside the mask.
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] * pixel


def band_of(metal: np.ndarray, pixel: float) -> np.ndarray:
    """Place in `BANDS` of each pixel, `[H W]`; metal bool `[H W]`, pixel in mm."""
    return np.searchsorted(BANDS_MM, distance_to(metal, pixel))


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
    # Sums for each band, `[bands]`; the last one is beyond 40 mm and not reported.
    voxels, total, squares = (
        np.bincount(band, weights, len(KEYS) + 1) for weights in (None, error, error**2)
    )
    found = {}
    for i, key in enumerate(KEYS):
        some = voxels[i] > 0
        # Streaks of both signs cancel in the mean and not in the root mean square.
        found[f"bias_{key}"] = float(total[i] / voxels[i]) if some else math.nan
        found[f"rmse_{key}"] = math.sqrt(squares[i] / voxels[i]) if some else math.nan
    return found
