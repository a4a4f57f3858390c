"""Objects that may be metal, each judged by the streaks that it makes.

A threshold alone finds contrast medium, calcium, thin stents and single bright pixels, too. What is
to be corrected is an artifact; an object without a measurable one is left alone, whatever it is
made of: a correction would only take anatomy away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from unmetal.metrics.strata import distance_to
from unmetal.physics.derive import SURE_HU
from unmetal.reduction.streaks import Streaks, measure_streaks

JOIN_MM = 2.0
"""Pieces closer than twice this belong to one object, within a slice and to the next one."""

WEAKER = 0.75
"""Share of the bound that is enough in a slice next to one that exceeds it: nine in ten pieces
without an artifact stay below."""

TOO_SMALL = "its pieces are smaller than the least area that is asked for"

NO_METAL = "the network that segments metal does not take it for metal"
"""Why an object whose streaks exceed the bound is left alone all the same."""

Decision = Literal["corrected", "left alone"]

Measure = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float], Streaks]
"""(HU `[H W]`, the piece, all other dense pieces, the body, each bool `[H W]`, pixel in mm) -> the
streaks of that piece: `measure_streaks`, or something learned."""


@dataclass(frozen=True)
class MetalObject:
    """One object above the threshold for metal, and what was decided about it."""

    number: int
    """From 1; its value in the labels that `judge_metal` gives."""
    slices: tuple[int, ...]
    """Indices, from 0, of the slices that it is in."""
    corrected_slices: tuple[int, ...]
    """Of these, the ones in which its artifact is corrected."""
    center: tuple[float, float, float]
    """(slice, row, column) of its center, pixels."""
    center_mm: tuple[float, float, float]
    """The same in mm from the first voxel."""
    volume_mm3: float
    """Number of its voxels times their volume."""
    peak_hu: float
    """Its largest value."""
    strength_hu: float
    """Amplitude of its streaks where they are strongest in relation to the bound, HU."""
    bound_hu: float
    """What objects like it without an artifact reach, HU."""
    decision: Decision
    reason: str
    """Why, in words for the log and the report."""

    def sentence(self) -> str:
        """What, where, volume, decision and why: a line for the log."""
        first, last = self.slices[0] + 1, self.slices[-1] + 1
        where = f"slice {first}" if first == last else f"slices {first} to {last}"
        place = f"row {self.center[1]:.0f}, column {self.center[2]:.0f}"
        return (
            f"object {self.number} ({where}, {place}; {self.volume_mm3:.0f} mm3, up to "
            f"{self.peak_hu:.0f} HU) {self.decision}: {self.reason}"
        )


def judge_metal(
    hu: np.ndarray,
    metal: np.ndarray,
    bodies: np.ndarray,
    spacing: tuple[float, float, float],
    *,
    confirmed: np.ndarray | None = None,
    segmented: np.ndarray | None = None,
    measure: Measure = measure_streaks,
) -> tuple[np.ndarray, tuple[MetalObject, ...]]:
    """The metal to correct, bool `[slices H W]`, and every object with its decision.

    Pieces that hang together, from slice to slice too, are one object. It counts as metal with an
    artifact when in one of its slices the streaks exceed the bound, or a value `SURE_HU`; then it
    is corrected in all slices in which the streaks exceed `WEAKER` of the bound, or a value that.

    hu: `[slices H W]`. metal: bool of that shape, all that is dense enough. bodies: bool of that
    shape, known in slices with metal. spacing: mm along (slice, row, column).
    confirmed: bool of that shape, those of the pixels that may be corrected; all otherwise.
    segmented: bool of that shape, what a network takes for metal, small pieces among it: says
        whether an object that is not confirmed is too small or no metal.
    measure: how the streaks of one piece in one slice are measured.
    """
    labels = label_objects(metal, spacing[2])
    chosen = np.zeros_like(metal)
    objects = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        found: dict[int, Streaks] = {}
        for place in range(box[0].start, box[0].stop):
            piece = labels[place] == number
            if not piece.any():
                continue
            others = metal[place] & ~piece
            found[place] = measure(hu[place], piece, others, bodies[place], spacing[2])
        best = max(found.values(), key=lambda one: one.ratio)
        # What no contrast medium or calcium reaches is solid metal, whose beam hardening follows.
        solid = [i for i in found if hu[i][labels[i] == number].max() > SURE_HU]
        corrected = tuple(
            i
            for i, one in found.items()
            if i in solid or ((best.ratio > 1 or solid) and one.ratio > WEAKER)
        )
        for place in corrected:
            chosen[place] |= labels[place] == number
        denied = ""
        if confirmed is not None:
            own = labels == number
            chosen &= ~own | confirmed
            small = segmented is not None and (segmented & own)[list(corrected)].any()
            denied = TOO_SMALL if small else NO_METAL
            corrected = tuple(i for i in corrected if (chosen & own)[i].any())
        described = _described(number, labels, hu, spacing, tuple(found), corrected, best, denied)
        objects.append(described)
    return chosen, tuple(objects)


def objects_left_alone(
    metal: np.ndarray, objects: tuple[MetalObject, ...], pixel: float
) -> np.ndarray:
    """bool `[slices H W]`: of all that is dense, what is not corrected where it is.

    A pixel of a corrected object that is not taken for metal (the foot of a streak as bright as
    metal) is not left alone: it is what the correction is for. metal, objects: as `judge_metal`
    took and gave them. pixel: mm.
    """
    labels = label_objects(metal, pixel)
    left = metal.copy()
    for one in objects:
        for place in one.corrected_slices:
            left[place] &= labels[place] != one.number
    return left


def label_objects(metal: np.ndarray, pixel: float) -> np.ndarray:
    """int32 `[slices H W]`: 0, or the number of the object; metal bool `[slices H W]`, pixel mm."""
    near = np.stack([distance_to(one, pixel) <= JOIN_MM for one in metal])
    # Faces, edges and corners: an oblique implant moves by some pixels from slice to slice.
    labels, _ = ndimage.label(near, np.ones((3, 3, 3)))
    return np.where(metal, labels, 0).astype(np.int32)


def _described(
    number: int,
    labels: np.ndarray,
    hu: np.ndarray,
    spacing: tuple[float, float, float],
    slices: tuple[int, ...],
    corrected: tuple[int, ...],
    best: Streaks,
    denied: str,
) -> MetalObject:
    voxels = np.argwhere(labels == number)
    slice_, row, column = (float(x) for x in voxels.mean(0))
    decision: Decision = "corrected" if corrected else "left alone"
    peak = float(hu[labels == number].max())
    relation = "more than" if best.ratio > 1 else "no more than"
    reason = (
        f"its streaks are {best.hu:.0f} HU, {relation} the {best.bound:.0f} HU that objects "
        "without an artifact show"
    )
    if peak > SURE_HU and best.ratio <= 1:
        reason = f"it is denser than {SURE_HU:.0f} HU, as only solid metal is; {reason}"
    if (best.ratio > 1 or peak > SURE_HU) and not corrected:
        reason += f", but {denied}"
    return MetalObject(
        number=number,
        slices=slices,
        corrected_slices=corrected,
        center=(slice_, row, column),
        center_mm=(slice_ * spacing[0], row * spacing[1], column * spacing[2]),
        volume_mm3=len(voxels) * float(np.prod(spacing)),
        peak_hu=peak,
        strength_hu=best.hu,
        bound_hu=best.bound,
        decision=decision,
        reason=reason,
    )
