"""Reasons to distrust a result: what a network has not seen, and what the result itself shows.

Ranges are those of the cohort that the released weights learned from (recipes/syn_cohort.py), and
bounds are what its validation patients reach; recipes/caution_ranges.py prints every number here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from unmetal.physics.derive import body_mask
from unmetal.scan import Volume


@dataclass(frozen=True)
class Caution:
    """One reason to distrust a result."""

    key: str
    """A short name, for the end of a series description: `kvp`."""

    said: str
    """The sentence, with the number found and the numbers expected."""


@dataclass(frozen=True)
class Range:
    """What the training data had, from least to most."""

    what: str
    least: float
    most: float
    unit: str = ""

    def check(self, key: str, found: float | None) -> Iterator[Caution]:
        """A caution where a number, rounded as it is said, is known and outside."""
        if found is None or self.least <= float(f"{found:.3g}") <= self.most:
            return
        between = f"{self.least:g}" + (f" to {self.most:g}" if self.most > self.least else "")
        said = f"{self.what} {found:.3g} {self.unit}".rstrip()
        yield Caution(key, f"{said}, trained with {between} {self.unit}".rstrip())


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
no caution for less, which disturbs less. All others: least and most of the cohort's 357 slices."""

FAR_MM = 40.0
"""From here on changes count as far from metal: manufacturers' own algorithms change next to
nothing beyond 38 mm (Quantitative phantom-based comparison of commercial CT MAR algorithms)."""

FAR_HU = 57.0
"""Mean absolute change there, in the slice where it is largest: what LI, NMAR and ADN reach on 16
slices of 11 validation patients with drawn titanium (54, 57 and 34)."""

FLIP_HU = 2.3
"""Mean absolute disagreement inside the body, in the slice where it is largest: what ADN reaches on
the same slices (2.27). Small, for its image is only the prior of a completed sinogram."""

REFORMATTED = {
    "REFORMATTED",
    "RESAMPLED",
    "PROJECTION IMAGE",
    "MPR",
    "MPVR",
    "MIP",
    "MINIP",
    "CSA MPR",
    "CSA MIP",
    "CSA RESAMPLED",
    "CURVED",
}
"""Values of ImageType for images made of other images: streaks no longer lie in their plane."""

PLATEAU = 3
"""Pixels of metal at the slice's maximum that show the end of the scale."""


def unusual(
    volume: Volume, hu: np.ndarray, metal: np.ndarray, *, learned: bool
) -> tuple[Caution, ...]:
    """What is unlike CT as it comes from a scanner, and for a method that `learned`, unlike what
    it learned from.

    hu: `[slices H W]`, air where the scanner saw nothing. metal: bool of that shape.
    """
    cautions = [*_by_header(volume)]
    affected = np.flatnonzero(metal.any((1, 2)))
    if len(affected):
        pixel = volume.spacing[2]
        bodies = np.stack([body_mask(hu[i], pixel) for i in affected])
        cautions += _by_values(hu[affected], metal[affected], bodies)
        if learned:
            cautions += _by_training(volume, hu, metal, bodies)
    return tuple(cautions)


def doubtful(
    change: np.ndarray,
    metal: np.ndarray,
    bodies: np.ndarray,
    pixel: float,
    disagreement: np.ndarray | None,
    clipped: int,
) -> tuple[Caution, ...]:
    """What the result shows. `change`, `disagreement`: HU `[n H W]` of the affected slices;
    `metal`, `bodies`: bool of that shape; pixels of `pixel` mm; `clipped`: how many values."""
    cautions = []
    if (far := far_change(change, metal, bodies, pixel)) > FAR_HU:
        said = f"changed by {far:.0f} HU on average beyond {FAR_MM:g} mm from metal"
        cautions.append(Caution("far", f"{said}; at most {FAR_HU:g} HU on validation patients"))
    if (
        disagreement is not None
        and (apart := largest_mean(disagreement, bodies & ~metal)) > FLIP_HU
    ):
        said = f"{apart:.1f} HU between the result and that of the mirrored slice"
        cautions.append(Caution("flips", f"{said}; at most {FLIP_HU:g} HU on validation patients"))
    if clipped:
        cautions.append(Caution("clipped", f"{clipped} values do not fit what the format stores"))
    return tuple(cautions)


def sharpness(hu: np.ndarray, body: np.ndarray) -> float | None:
    """How much of the noise lies between neighbours: their mean absolute difference in soft tissue
    over that of pixels four apart. HU and bool `[H W]`; None where there is too little tissue.

    Smooth kernels leave little; white noise is 1. It needs no manufacturer's name for a kernel.
    """
    # By the smoothed image: the noise of a lung kernel exceeds the contrast of tissues.
    smooth = ndimage.gaussian_filter(hu, 2)
    soft = ndimage.binary_erosion(body & (smooth > -20) & (smooth < 120), iterations=2)
    near, apart = (
        np.abs(hu[:, n:] - hu[:, :-n])[soft[:, n:] & soft[:, :-n]].astype(float) for n in (1, 4)
    )
    return None if len(apart) < 500 or not apart.any() else float(near.mean() / apart.mean())


def edge_share(body: np.ndarray) -> float:
    """Share of the slice's edge at which the body, bool `[H W]`, is cut off."""
    edge = (body[0], body[-1], body[1:-1, 0], body[1:-1, -1])
    return float(np.concatenate(edge).mean())


def longer_side(body: np.ndarray, pixel: float) -> float:
    """mm; 0 where there is no body."""
    rows, columns = np.nonzero(body)
    return 0.0 if not len(rows) else pixel * (1 + max(np.ptp(rows), np.ptp(columns)))


def _by_header(volume: Volume) -> Iterator[Caution]:
    meta = volume.meta
    kind = set(meta.get("image_type", ()))
    if (modality := str(meta.get("modality", "CT"))) != "CT":
        yield Caution("not-ct", f"the modality is {modality}, not CT")
    if "LOCALIZER" in kind:
        yield Caution("localizer", "a localizer, not a slice")
    if made := kind & REFORMATTED:
        yield Caution("reformat", f"made of other images ({', '.join(sorted(made))})")
    elif not meta.get("axial", True):
        yield Caution("reformat", "the slices are not axial, but artifacts lie in axial ones")
    if meta.get("burned_in") == "YES":
        yield Caution("burned-in", "the header says that identifiers are burned into the pixels")
    if meta.get("made_by_unmetal"):
        yield Caution("again", "unmetal made this series already")
    if not volume.spacing_known:
        yield Caution("no-size", f"no pixel size is stated; taken for {volume.spacing[2]:g} mm")


def _by_values(hu: np.ndarray, metal: np.ndarray, bodies: np.ndarray) -> Iterator[Caution]:
    if none := int((~bodies.any((1, 2))).sum()):
        yield Caution("no-body", f"no body in {none} of {len(hu)} slices")
    if (flat := len(np.unique(hu))) <= 256:
        said = f"only {flat} different values: an 8-bit picture's contrast is not CT's"
        yield Caution("8-bit", said)
    tops = hu.max((1, 2))
    plateau = ((hu == tops[:, None, None]) & metal).sum((1, 2)) >= PLATEAU
    if plateau.any():
        said = f"metal is cut off at {tops[plateau].max():g} HU in {plateau.sum()} slices"
        yield Caution("saturated", f"{said}: its edge and peak are unknown")


def _by_training(
    volume: Volume, hu: np.ndarray, metal: np.ndarray, bodies: np.ndarray
) -> Iterator[Caution]:
    """`bodies` of the affected slices only."""
    meta, pixel, count = volume.meta, volume.spacing[2], len(volume.hu)
    affected = np.flatnonzero(metal.any((1, 2)))
    sides = np.array([longer_side(body, pixel) for body in bodies])
    shares = metal[affected].sum((1, 2)) / np.maximum(bodies.sum((1, 2)), 1)
    yield from TRAINED["kvp"].check("kvp", _number(meta.get("kvp")))
    yield from TRAINED["kernel"].check("kernel", _kernel(hu, metal, pixel))
    if volume.spacing_known:
        apart = volume.spacing[0] if count > 1 else None
        thick = _number(meta.get("slice_thickness"))
        yield from TRAINED["spacing"].check("spacing", pixel)
        yield from TRAINED["thickness"].check("thickness", apart if thick is None else thick)
        yield from TRAINED["fov"].check("fov", pixel * max(hu.shape[1:]))
        yield from TRAINED["size"].check("size", _worst(sides[sides > 0], TRAINED["size"]))
    yield from TRAINED["cut"].check("cut", max(map(edge_share, bodies)))
    yield from TRAINED["metal"].check("metal", float(shares.max()))


def _kernel(hu: np.ndarray, metal: np.ndarray, pixel: float) -> float | None:
    """The median sharpness of up to five slices, without metal where there are any."""
    free = np.flatnonzero(~metal.any((1, 2)))
    some = free if len(free) else np.arange(len(hu))
    some = some[np.linspace(0, len(some) - 1, min(5, len(some))).round().astype(int)]
    found = [sharpness(hu[i], body_mask(hu[i], pixel)) for i in some]
    known = [one for one in found if one is not None]
    return float(np.median(known)) if known else None


def _worst(values: np.ndarray, expected: Range) -> float | None:
    """The value farthest out of a range, or else any."""
    if not len(values):
        return None
    out = np.maximum(expected.least - values, values - expected.most)
    return float(values[np.argmax(out)])


def far_change(change: np.ndarray, metal: np.ndarray, bodies: np.ndarray, pixel: float) -> float:
    """HU: the mean absolute change beyond FAR_MM from metal in its slice, where it is largest."""
    distance = np.stack([ndimage.distance_transform_edt(~one, sampling=pixel) for one in metal])
    return largest_mean(np.abs(change), bodies & (distance > FAR_MM))


def largest_mean(values: np.ndarray, where: np.ndarray) -> float:
    """The largest of the slices' means, of those with at least 1,000 such pixels; 0 if none."""
    pairs = zip(values, where, strict=True)
    return max((float(v[w].mean()) for v, w in pairs if w.sum() >= 1000), default=0.0)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
