"""Where a result is farther from the truth than the slice that came, and where it is nearer.

A mean error hides harm: a method that helps much in one place may spoil another, and a reader is
misled by what is spoilt.
"""

import math

import numpy as np
from scipy import ndimage

from unmetal.metrics.no_reference import masked_average

SMOOTHING_MM = 2.0
"""Sigma of the Gaussian that takes noise off both errors: a lesion or a vessel is wider."""

HARM_HU = 20.0
"""Change of the absolute smoothed error that a reader could see in soft tissue."""

MARGIN_PX = 2
"""Pixels about metal that do not count, as in `image_quality.hu_protocol`."""


def counted_pixels(body: np.ndarray, metal: np.ndarray) -> np.ndarray:
    """bool `[H W]`: the body without what lies within 2 px of metal; bool `[H W]` each."""
    # A cross, twice: distance along rows plus that along columns, as `derive.dilate` grows.
    near = ndimage.binary_dilation(metal, iterations=MARGIN_PX) if metal.any() else metal
    return body & ~near


def harmed_and_helped(
    before: np.ndarray,
    after: np.ndarray,
    truth: np.ndarray,
    body: np.ndarray,
    metal: np.ndarray,
    pixel: float,
) -> dict[str, float]:
    """`harmed` and `helped`, in %: shares of the body whose error grew, or fell, by more than
    20 HU; NaN where no pixel counts.

    Pixels count that are in `body` and farther than 2 px from `metal`. The errors of `before` and
    `after` against `truth` are smoothed by a Gaussian of 2 mm among the counted pixels alone (a
    normalized convolution, so nothing leaks in from the metal or from the air), and taken absolute.

    before, after, truth: HU `[H W]`. body, metal: bool `[H W]`, metal as it truly is. pixel: mm.
    """
    counted = counted_pixels(body, metal)
    if not counted.any():
        return {"harmed": math.nan, "helped": math.nan}
    first, last = (
        np.abs(masked_average(hu.astype(np.float64) - truth, counted, SMOOTHING_MM / pixel))
        for hu in (before, after)
    )
    grew = (last - first)[counted]
    return {
        "harmed": 100 * float((grew > HARM_HU).mean()),
        "helped": 100 * float((grew < -HARM_HU).mean()),
    }
