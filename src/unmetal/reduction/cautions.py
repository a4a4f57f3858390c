"""Out-of-distribution checks on the input, and sanity checks on the result.

Bounds are what the validation patients of the released weights' cohort reach;
recipes/caution_ranges.py prints every number here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from unmetal.reduction.quality_flag import QualityFlag
from unmetal.reduction.trained_ranges import check_training
from unmetal.scan import Volume

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
            flags += check_training(volume, hu, metal, bodies)
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
