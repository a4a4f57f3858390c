"""How a series compares with what the released weights learned from (recipes/syn_cohort.py);
recipes/caution_ranges.py prints every range here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from unmetal.physics.derive import body_mask
from unmetal.reduction.quality_flag import QualityFlag
from unmetal.scan import Volume


@dataclass(frozen=True)
class Range:
    """The range of a quantity in the training data."""

    what: str
    least: float
    most: float
    unit: str = ""

    def check(self, key: str, found: float | None) -> Iterator[QualityFlag]:
        """Yield a flag where a number is known and outside."""
        # Rounded as it is printed: nobody is to read "0.547 mm, trained with 0.547 mm".
        if found is None or self.least <= float(f"{found:.3g}") <= self.most:
            return
        between = f"{self.least:g}" + (f" to {self.most:g}" if self.most > self.least else "")
        message = f"{self.what} {found:.3g} {self.unit}".rstrip()
        yield QualityFlag(key, f"{message}, trained with {between} {self.unit}".rstrip())


TRAINED = {
    "kvp": Range("tube voltage", 120, 120, "kV"),
    "kernel": Range("sharpness of the kernel", 0.381, 1.01),
    "spacing": Range("pixel size", 0.547, 1.37, "mm"),
    "thickness": Range("slice thickness", 1, 8, "mm"),
    "fov": Range("field of view", 280, 700, "mm"),
    "cut": Range("share of the field's edge that cuts the body", 0, 0.311),
    "size": Range("size of the patient", 280, 498, "mm"),
    "metal": Range("share of the body that is metal", 0, 0.0477),
}
"""By key. Voltage: the spectrum of every simulated scan. Metal: 99.5 % of 1,500 simulated slices;
less disturbs less and is not flagged. All others: least and most of the cohort's 357 slices."""


def check_training(
    volume: Volume, hu: np.ndarray, metal: np.ndarray, bodies: np.ndarray
) -> Iterator[QualityFlag]:
    """Compare a series with `TRAINED`; arguments as in `check_input`."""
    meta, pixel = volume.meta, volume.spacing[2]
    found: dict[str, float | None] = {
        "kvp": _number(meta.get("kvp")),
        "kernel": _median_texture(hu, metal, bodies, pixel),
    }
    affected = metal.any((1, 2))
    metal, bodies = metal[affected], bodies[affected]
    # Where no pixel size is stated, a length would be a guess.
    if volume.spacing_known:
        apart = volume.spacing[0] if len(hu) > 1 else None
        thick = _number(meta.get("slice_thickness"))
        sides = np.array([longer_side(body, pixel) for body in bodies])
        found |= {
            "spacing": pixel,
            "thickness": apart if thick is None else thick,
            "fov": pixel * max(hu.shape[1:]),
            "size": _worst(sides[sides > 0], TRAINED["size"]),
        }
    # Per body, not per frame: how much air is around it differs from scan to scan.
    shares = metal.sum((1, 2)) / np.maximum(bodies.sum((1, 2)), 1)
    found |= {"cut": max(map(edge_share, bodies)), "metal": float(shares.max())}
    for key, value in found.items():
        yield from TRAINED[key].check(key, value)


def noise_texture(hu: np.ndarray, body: np.ndarray) -> float | None:
    """How fine the noise is: the mean absolute difference of neighbours in soft tissue over that of
    pixels four apart. HU and bool `[H W]`; None where there is too little soft tissue.

    It is 1 for white noise and falls as the reconstruction kernel gets smoother. Measured because
    manufacturers have no common names for kernels.
    """
    # Soft tissue is found in a smoothed image: the noise of a lung kernel exceeds the contrast of
    # tissues. Two pixels of erosion keep the edges of organs out.
    smooth = ndimage.gaussian_filter(hu, 2)
    soft = ndimage.binary_erosion(body & (smooth > -20) & (smooth < 120), iterations=2)
    near, apart = (
        np.abs(hu[:, n:] - hu[:, :-n])[soft[:, n:] & soft[:, :-n]].astype(float) for n in (1, 4)
    )
    return None if len(apart) < 500 or not apart.any() else float(near.mean() / apart.mean())


def edge_share(body: np.ndarray) -> float:
    """Share of the slice's edge at which the body, bool `[H W]`, is cut off."""
    # The corners belong to the rows, so that no pixel counts twice.
    edge = (body[0], body[-1], body[1:-1, 0], body[1:-1, -1])
    return float(np.concatenate(edge).mean())


def longer_side(body: np.ndarray, pixel: float) -> float:
    """The longer side of the box about a body, bool `[H W]`, in mm; 0 where there is none."""
    rows, columns = np.nonzero(body)
    return 0.0 if not len(rows) else pixel * (1 + max(np.ptp(rows), np.ptp(columns)))


def _median_texture(
    hu: np.ndarray, metal: np.ndarray, bodies: np.ndarray, pixel: float
) -> float | None:
    """The median `noise_texture` of up to five slices, without metal where there are any."""
    # Streaks are no noise, so slices without metal come first; five of them, spread evenly.
    free = np.flatnonzero(~metal.any((1, 2)))
    some = free if len(free) else np.arange(len(hu))
    some = some[np.linspace(0, len(some) - 1, min(5, len(some))).round().astype(int)]
    searched = (bodies[i] if bodies[i].any() else body_mask(hu[i], pixel) for i in some)
    found = [noise_texture(hu[i], body) for i, body in zip(some, searched, strict=True)]
    known = [texture for texture in found if texture is not None]
    return float(np.median(known)) if known else None


def _worst(values: np.ndarray, expected: Range) -> float | None:
    """The value farthest out of a range, or else any."""
    if not len(values):
        return None
    out = np.maximum(expected.least - values, values - expected.most)
    return float(values[np.argmax(out)])


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
