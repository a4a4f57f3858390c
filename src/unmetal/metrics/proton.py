"""Proton range: how far a beam that is planned on a slice would miss.

The metric of the AAPM CT-MAR challenge: HU become stopping power relative to water, which is
summed along straight rays to the far edge of a target; what differs from the truth there shifts
the end of the beam's range.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from unmetal.metrics.strata import depth_in

CURVE_HU = (-1000, -200, -120, -20, 50, 100, 140, 2990, 2995, 999960)
CURVE_POWER = (0, 0.788, 0.897, 1.003, 1.038, 1.084, 1.097, 2.732, 3.2, 3.2)
"""Stopping power relative to water at these HU, linear between. Source: the curve of the
Massachusetts General Hospital, as the AAPM CT-MAR challenge scores with it."""

TARGET_MM = 10.0
"""Radius of the target. The challenge draws a target for each case; ours is a disc."""

DIRECTIONS = 36
"""Beams that are tried, 10 degrees apart: finer than planners distinguish."""


@dataclass(frozen=True)
class Beam:
    """Parallel rays through a target."""

    at: np.ndarray
    """float `[2 rays samples]`: rows and columns, pixels; samples are a pixel apart."""
    within: np.ndarray
    """bool `[rays samples]`: in the body, and not beyond the far edge of the target."""
    pixel: float
    """mm."""


def stopping_power(hu: np.ndarray) -> np.ndarray:
    """Stopping power relative to water of HU, any shape."""
    return np.interp(hu, CURVE_HU, CURVE_POWER)


def water_equivalent(hu: np.ndarray, beam: Beam) -> np.ndarray:
    """mm of water that stop protons as each ray of the beam does, `[rays]`; HU `[H W]`."""
    # Linear interpolation at the samples `[rays samples]`, summed in mm.
    power = ndimage.map_coordinates(stopping_power(hu), beam.at, order=1, mode="nearest")
    return (power * beam.within).sum(-1) * beam.pixel


def range_error(output: np.ndarray, truth: np.ndarray, beam: Beam) -> float:
    """Largest difference in range of any ray, as a share of the longest range; HU `[H W]`."""
    its, true = (water_equivalent(hu, beam) for hu in (output, truth))
    longest = float(true.max())
    return float(np.abs(its - true).max()) / longest if longest > 0 else math.nan


def choose_beam(body: np.ndarray, metal: np.ndarray, counted: np.ndarray, pixel: float) -> Beam:
    """The beam to a target next to the metal that crosses the least metal on the shortest way.

    The target is the disc of `TARGET_MM` nearest to the metal that lies in what is `counted`, or,
    where none fits, in the middle of it: a tumor beside a fixation. Planners avoid metal, of which
    the range is not known. body, metal, counted: bool `[H W]`. pixel: mm.
    """
    # Where a disc of the target's radius fits; else the roomiest place.
    room = depth_in(counted, pixel)
    fits = room > TARGET_MM if (room > TARGET_MM).any() else room == room.max()
    away = ndimage.distance_transform_edt(~metal) if metal.any() else np.zeros(body.shape)
    center = np.unravel_index(np.where(fits, away, np.inf).argmin(), body.shape)
    beams = [
        _beam((int(center[0]), int(center[1])), 2 * math.pi * i / DIRECTIONS, body, pixel)
        for i in range(DIRECTIONS)
    ]
    return min(beams, key=lambda beam: _burden(beam, metal))


def _beam(center: tuple[int, int], angle: float, body: np.ndarray, pixel: float) -> Beam:
    """Rays to the disc about `center` (pixels) at an angle from the row axis, radians."""
    radius, reach = TARGET_MM / pixel, math.ceil(math.hypot(*body.shape))
    # Rays a pixel apart across the target, from outside the slice to the target's far edge.
    across = np.arange(-math.floor(radius), math.floor(radius) + 1)[:, None]
    along = np.arange(-reach, math.ceil(radius) + 1)[None]
    sin, cos = math.sin(angle), math.cos(angle)
    at = np.stack([center[0] + along * sin + across * cos, center[1] + along * cos - across * sin])
    inside = _nearest(body, at)
    # The far edge: where the ray leaves the disc.
    return Beam(at, inside & (along <= np.sqrt(radius**2 - across**2)), pixel)


def _burden(beam: Beam, metal: np.ndarray) -> tuple[int, int]:
    """Samples in metal, and all of them."""
    return int((_nearest(metal, beam.at) & beam.within).sum()), int(beam.within.sum())


def _nearest(mask: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A mask, bool `[H W]`, at `[2 rays samples]`; False outside."""
    rows, columns = np.rint(at).astype(int)
    seen = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    return seen & mask[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
