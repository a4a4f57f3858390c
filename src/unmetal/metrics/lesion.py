"""Low-contrast detectability: a faint lesion beside metal, and how well it can still be seen.

The lesion is put into the truth before it is scanned, so that metal, noise and method do to it what
they do to the rest. It is looked for by the non-prewhitening matched filter, an observer that knows
the lesion and its place and does no better than people do (Wagner and Brown, Phys. Med. Biol. 30,
489 (1985); ICRU Report 54 (1996)): the template's response, against its spread where there is no
lesion.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from unmetal.metrics.regions import convolve
from unmetal.metrics.strata import TISSUE_HU, depth_in, distance_to

RADIUS_MM, CONTRAST_HU = 5.0, 40.0
"""Of the lesion: 10 mm and 40 HU, as a metastasis in a portal venous liver."""

CLOSE_MM, AWAY_MM = 5.0, 40.0
"""mm from metal to the middle of the lesion: it never touches the metal."""

LEAST_PLACES = 20
"""Places without a lesion below which a spread says nothing."""


@dataclass(frozen=True)
class Lesion:
    """A disc, and where to look for its like."""

    profile: np.ndarray
    """float64 `[H W]`, HU: what it adds to the truth."""
    template: np.ndarray
    """float64 `[n n]`: its profile less that of what surrounds it, so that its sum is 0 and its
    response to the lesion alone is the lesion's contrast in HU."""
    center: tuple[int, int]
    """Row and column."""
    places: np.ndarray
    """bool `[H W]`: middles of discs without a lesion, in soft tissue as near to metal."""


def choose_lesion(
    truth: np.ndarray, metal: np.ndarray, body: np.ndarray, pixel: float
) -> Lesion | None:
    """A lesion in soft tissue, as near to metal as it fits; None where it fits nowhere within
    `AWAY_MM`. truth: HU `[H W]`. metal, body: bool `[H W]`. pixel: mm."""
    smooth = ndimage.gaussian_filter(truth.astype(np.float64), 1.5 / pixel)
    soft = body & ~metal & (smooth > TISSUE_HU[1]) & (smooth < TISSUE_HU[2])
    # mm to the nearest pixel that is no soft tissue: a disc of that radius fits.
    room = depth_in(soft, pixel)
    distance = distance_to(metal, pixel)
    fits = (room > RADIUS_MM) & (distance > RADIUS_MM + CLOSE_MM) & (distance <= AWAY_MM)
    if not fits.any():
        return None
    # Of the places where it fits, the one nearest to the metal.
    row, column = np.unravel_index(np.where(fits, distance, np.inf).argmin(), fits.shape)
    center = int(row), int(column)
    rows, columns = np.ogrid[: fits.shape[0], : fits.shape[1]]
    away = np.hypot(rows - row, columns - column) * pixel
    # Places a radius apart are about as independent as the noise lets them be.
    step = max(1, round(RADIUS_MM / pixel))
    lattice = (rows % step == 0) & (columns % step == 0)
    return Lesion(
        profile=CONTRAST_HU * _disc(away, RADIUS_MM, pixel),
        template=_template(pixel),
        center=center,
        places=fits & (away > 3 * RADIUS_MM) & lattice,
    )


def _disc(away: np.ndarray, radius: float, pixel: float) -> np.ndarray:
    """Share of each pixel in a disc, of distances to its middle; mm."""
    return ((radius - away) / pixel + 0.5).clip(0, 1)


def _template(pixel: float) -> np.ndarray:
    """See `Lesion.template`. What surrounds is the ring out to 1.5 radii."""
    reach = math.ceil(1.5 * RADIUS_MM / pixel + 0.5)
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    away = np.hypot(rows, columns) * pixel
    disc = _disc(away, RADIUS_MM, pixel)
    ring = _disc(away, 1.5 * RADIUS_MM, pixel) - disc
    # Mean over the disc minus mean over the ring; scaled so that the disc alone answers 1.
    weights = disc / disc.sum() - ring / ring.sum()
    return weights / (weights * disc).sum()


def contrast(without: np.ndarray, with_it: np.ndarray, lesion: Lesion) -> float:
    """Share of the lesion's contrast that is left, 1 all of it: of two images HU `[H W]` that
    differ in the lesion (and in noise, which a single case does not average out)."""
    seen = with_it.astype(np.float64) - without
    return float(_responses(seen, lesion)[lesion.center]) / CONTRAST_HU


def detectability(
    without: np.ndarray, with_it: np.ndarray, truth: np.ndarray, lesion: Lesion
) -> float:
    """d': the response to the lesion over the spread of responses where there is none.

    without, with_it: HU `[H W]`, the result without and with the lesion. truth: HU `[H W]`, without
    it; it is taken off, for the observer knows the anatomy and is disturbed by noise and artifacts
    alone. NaN where there are too few places.
    """
    if int(lesion.places.sum()) < LEAST_PLACES:
        return math.nan
    spread = _responses(without.astype(np.float64) - truth, lesion)[lesion.places].std()
    signal = contrast(without, with_it, lesion) * CONTRAST_HU
    # Less than 1e-6 HU is rounding.
    return signal / float(spread) if spread > 1e-6 else math.inf


def _responses(hu: np.ndarray, lesion: Lesion) -> np.ndarray:
    """The template at every pixel, HU `[H W]`."""
    # Correlation is convolution with the template turned around.
    return convolve(hu, lesion.template[::-1, ::-1])
