"""Out-of-distribution checks on the input, and sanity checks on the result.

Ranges are those of the cohort that the released weights learned from (recipes/syn_cohort.py), and
bounds are what its validation patients reach; recipes/caution_ranges.py prints every number here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from unmetal.physics.derive import body_mask
from unmetal.scan import Volume

MISREAD = {
    "not-ct",
    "localizer",
    "reformat",
    "again",
    "no-body",
    "8-bit",
    "far",
    "flips",
    "clipped",
    "weights",
}
"""Keys of what a reader of the result would misread: it touches what the pictures show. All others
say that a series is unusual: outside of what the method was measured on."""

Level = Literal["misread", "unusual"]


@dataclass(frozen=True)
class QualityFlag:
    """One reason to distrust a result."""

    key: str
    """A short name, for the end of a series description: `kvp`."""

    message: str
    """A sentence with the number found and the numbers expected."""

    @property
    def level(self) -> Level:
        """Whether a reader would misread something, or the series is unusual."""
        return "misread" if self.key in MISREAD else "unusual"


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

FAR_MM = 40.0
"""Distance from metal beyond which little should change: manufacturers' own algorithms change next
to nothing beyond 38 mm (Quantitative phantom-based comparison of commercial CT MAR algorithms)."""

FAR_HU = 57.0
"""Bound of `mean_abs_change_far`: LI, NMAR and ADN reach 54, 57 and 34 on 16 slices of 11
validation patients with simulated titanium."""

FLIP_HU = 2.3
"""Bound of the mean disagreement with the mirrored slice, inside the body, in the slice where it is
largest: ADN reaches 2.27 on the same slices. It is small because the network's image is only the
prior of a completed sinogram."""

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
"""Values of ImageType (DICOM PS3.3 C.7.6.1.1.2, and manufacturers' own) of images made of other
images: streaks no longer lie in their plane."""

PLATEAU = 3
"""Pixels of metal that share the slice's maximum where the number scale ends below the metal."""


def check_input(
    volume: Volume, hu: np.ndarray, metal: np.ndarray, bodies: np.ndarray, *, learned: bool
) -> tuple[QualityFlag, ...]:
    """What is unlike CT as it comes from a scanner, and for a method that `learned`, unlike what
    it learned from.

    hu: `[slices H W]`, air where the scanner saw nothing. metal: bool of that shape. bodies: the
    patient, bool of that shape, known at least in slices with metal.
    """
    flags = [*_by_header(volume)]
    affected = metal.any((1, 2))
    if affected.any():
        flags += _by_values(hu[affected], metal[affected], bodies[affected])
        if learned:
            flags += _by_training(volume, hu, metal, bodies)
    return tuple(flags)


def check_result(
    change: np.ndarray,
    metal: np.ndarray,
    bodies: np.ndarray,
    pixel: float,
    disagreement: np.ndarray | None,
    clipped: int,
) -> tuple[QualityFlag, ...]:
    """What the result itself shows.

    change, disagreement: HU `[n H W]` of the slices with metal; metal, bodies: bool of that shape.
    pixel: mm. clipped: how many values the format cannot hold.
    """
    flags, compared = [], "on validation patients"
    if (far := mean_abs_change_far(change, metal, bodies, pixel)) > FAR_HU:
        message = f"changed by {far:.0f} HU on average beyond {FAR_MM:g} mm from metal"
        flags.append(QualityFlag("far", f"{message}; at most {FAR_HU:g} HU {compared}"))
    apart = 0.0 if disagreement is None else largest_mean(disagreement, bodies & ~metal)
    if apart > FLIP_HU:
        message = f"{apart:.1f} HU between the result and that of the mirrored slice"
        flags.append(QualityFlag("flips", f"{message}; at most {FLIP_HU:g} HU {compared}"))
    if clipped:
        values = "1 value does" if clipped == 1 else f"{clipped} values do"
        flags.append(QualityFlag("clipped", f"{values} not fit what the format stores"))
    return tuple(flags)


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


def mean_abs_change_far(
    change: np.ndarray, metal: np.ndarray, bodies: np.ndarray, pixel: float
) -> float:
    """HU: the mean absolute change of the body beyond `FAR_MM` from metal, in the slice where it is
    largest. Not the root mean square over all that is far, which `metrics.no_reference` measures.

    change: HU `[n H W]`. metal, bodies: bool of that shape. pixel: mm.
    """
    # Distances lie within a slice: streaks do, too.
    distance = np.stack([ndimage.distance_transform_edt(~one, sampling=pixel) for one in metal])
    return largest_mean(np.abs(change), bodies & (distance > FAR_MM))


def largest_mean(values: np.ndarray, where: np.ndarray) -> float:
    """The largest mean over `where` of a slice that has at least 1,000 such pixels; 0 if none has.

    values: `[n H W]`, any unit. where: bool of that shape.
    """
    pairs = zip(values, where, strict=True)
    return max((float(v[w].mean()) for v, w in pairs if w.sum() >= 1000), default=0.0)


def edge_share(body: np.ndarray) -> float:
    """Share of the slice's edge at which the body, bool `[H W]`, is cut off."""
    # The corners belong to the rows, so that no pixel counts twice.
    edge = (body[0], body[-1], body[1:-1, 0], body[1:-1, -1])
    return float(np.concatenate(edge).mean())


def longer_side(body: np.ndarray, pixel: float) -> float:
    """The longer side of the box about a body, bool `[H W]`, in mm; 0 where there is none."""
    rows, columns = np.nonzero(body)
    return 0.0 if not len(rows) else pixel * (1 + max(np.ptp(rows), np.ptp(columns)))


def _by_header(volume: Volume) -> Iterator[QualityFlag]:
    meta = volume.meta
    kind = set(meta.get("image_type", ()))
    if (modality := str(meta.get("modality", "CT"))) != "CT":
        yield QualityFlag("not-ct", f"the modality is {modality}, not CT")
    if "LOCALIZER" in kind:
        yield QualityFlag("localizer", "a localizer, not a slice")
    # Streaks lie in the plane in which the gantry turns: other planes show only pieces of them.
    if made := kind & REFORMATTED:
        yield QualityFlag("reformat", f"made of other images ({', '.join(sorted(made))})")
    elif not meta.get("axial", True):
        yield QualityFlag("reformat", "the slices are not axial, but artifacts lie in axial ones")
    if meta.get("burned_in") == "YES":
        message = "the header says that identifiers are burned into the pixels"
        yield QualityFlag("burned-in", message)
    if meta.get("made_by_unmetal"):
        yield QualityFlag("again", "unmetal made this series already")
    if not volume.spacing_known:
        yield QualityFlag("no-size", f"no pixel size is stated; taken for {volume.spacing[2]:g} mm")


def _by_values(hu: np.ndarray, metal: np.ndarray, bodies: np.ndarray) -> Iterator[QualityFlag]:
    """`[n H W]` each, of the slices with metal."""
    if none := int((~bodies.any((1, 2))).sum()):
        yield QualityFlag("no-body", f"no body in {none} of {len(hu)} slices with metal")
    # CT in HU has thousands of values; pictures made for a screen have 256.
    if (flat := len(np.unique(hu))) <= 256:
        message = f"only {flat} different values: an 8-bit picture's contrast is not CT's"
        yield QualityFlag("8-bit", message)
    # Noise gives every pixel of metal another value, unless the scale ends below it.
    tops = hu.max((1, 2))
    plateau = ((hu == tops[:, None, None]) & metal).sum((1, 2)) >= PLATEAU
    if plateau.any():
        count = int(plateau.sum())
        where = f"{count} slice{'s' * (count != 1)}"
        message = f"metal is cut off at {tops[plateau].max():.0f} HU in {where}"
        yield QualityFlag("saturated", f"{message}: its edge and peak are unknown")


def _by_training(
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
