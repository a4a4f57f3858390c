"""Metrics without a reference, for real metal: streaks that are left, and change where none is due.

None of these tells a good method from one that paints over: an empty slice has no streaks. Read
them together, and look at the slice.
"""

import math

import numpy as np
from scipy import ndimage

from unmetal.metrics.aapm import extremes
from unmetal.metrics.regions import flat_tissue
from unmetal.metrics.strata import BANDS_MM, depth_in, distance_to, tissue_of

NEAR_MM = BANDS_MM[-1]
"""Streaks are measured up to here, and harm beyond."""

LEVEL_MM = 10.0
"""Sigma of the mean that a streak is told from: streaks are narrower."""

NOISE_MM = 1.5
"""Sigma of the smoothing that takes off photon noise: streaks are longer."""


def choose_flat(guide: np.ndarray, metal: np.ndarray, body: np.ndarray, pixel: float) -> np.ndarray:
    """int `[H W]`: flat fat and flat soft tissue near metal by their place in `TISSUES`, else 0.

    guide: HU `[H W]`, the same slice with few streaks, for streaks look like edges: what linear
    interpolation makes of it, whose own amplitude the choice flatters a little. metal, body: bool
    `[H W]`. pixel: mm.
    """
    distance = distance_to(metal, pixel)
    # 5 mm inside the skin, whose edge would pass for a streak.
    inner = depth_in(body, pixel) > LEVEL_MM / 2
    flat = flat_tissue(guide, inner & (distance > 2 * pixel) & (distance <= NEAR_MM), pixel)
    smooth = ndimage.gaussian_filter(guide.astype(np.float64), NOISE_MM / pixel)
    return np.where(flat, tissue_of(smooth), 0)


def streak_amplitude(hu: np.ndarray, flat: np.ndarray, pixel: float) -> float:
    """HU: mean of the brightest 5 % of flat tissue minus mean of its darkest 5 %, each against the
    same tissue about it; NaN where there is no flat tissue.

    hu: `[H W]`. flat: int `[H W]`, of `choose_flat`. Noise is smoothed away before. Blind to
    streaks wider than 2 cm (shading), to what lies outside of flat tissue, and to whether what was
    smoothed was a streak. Organs of a tissue differ, so a slice without streaks is not 0.
    """
    apart = np.zeros(hu.shape)
    for tissue in np.unique(flat[flat > 0]):
        same = flat == tissue
        # Band-pass: wider than noise, narrower than the level of the tissue about it.
        smooth = masked_average(hu, same, NOISE_MM / pixel)
        apart[same] = (smooth - masked_average(smooth, same, LEVEL_MM / pixel))[same]
    return extremes(apart[flat > 0])


def masked_average(hu: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian average of sigma (pixels) over what of a mask lies about each pixel, HU `[H W]`."""
    # Normalized convolution (Knutsson and Westin 1993): only pixels of the mask count.
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma)
    total = ndimage.gaussian_filter(np.where(mask, hu, 0.0).astype(np.float64), sigma)
    return total / np.maximum(weight, 1e-6)


def far_change(
    before: np.ndarray, after: np.ndarray, metal: np.ndarray, body: np.ndarray, pixel: float
) -> float:
    """HU: root mean square change of the body farther than 40 mm from metal, where little should
    change; NaN where there is none so far. HU `[H W]`, masks bool `[H W]`, pixel in mm."""
    far = body & (distance_to(metal, pixel) > NEAR_MM)
    change = (after.astype(np.float64) - before)[far]
    return math.sqrt((change**2).mean()) if change.size else math.nan


def no_reference_metrics(
    before: np.ndarray,
    after: np.ndarray,
    metal: tuple[np.ndarray, np.ndarray],
    body: np.ndarray,
    flat: np.ndarray,
    pixel: float,
) -> dict[str, float]:
    """`flat_streak` and `far_change` (HU), `metal_mm2`, and `metal_change`: the relative change of
    the area of metal.

    before, after: HU `[H W]`. metal: bool `[H W]` each, what one rule finds before and after. flat:
    of `choose_flat`.
    """
    areas = [float(mask.sum()) * pixel**2 for mask in metal]
    return {
        "flat_streak": streak_amplitude(after, flat, pixel),
        "far_change": far_change(before, after, metal[0], body, pixel),
        "metal_mm2": areas[1],
        "metal_change": areas[1] / areas[0] - 1 if areas[0] else math.nan,
    }
