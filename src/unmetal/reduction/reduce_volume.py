"""The main line of `unmetal reduce`, in memory: a series in, the same series without artifacts out.

Read `reduce_volume` from top to bottom: find the metal and judge each object, check the input,
correct the slices that have metal with an artifact, paste what was corrected into the body, check
the result. `metal_search` is its beginning and `correct_slices` its middle;
`reduce_series.reduce_series` reads before and writes after.
"""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch

from unmetal.files import as_stored
from unmetal.methods.method import Method
from unmetal.reduction.cautions import check_input, check_result
from unmetal.reduction.correct_slices import correct_slices
from unmetal.reduction.metal_objects import MetalObject
from unmetal.reduction.metal_search import find_bodies, search_metal
from unmetal.reduction.paste import paste
from unmetal.reduction.quality_flag import QualityFlag
from unmetal.scan import Progress, Volume
from unmetal.units import METAL_HU

log = logging.getLogger("unmetal")

LOGGED = 10
"""Objects left alone that are named in the log: dense contrast can make hundreds."""

BATCH = 4
"""Slices at a time; 512 x 512 then fits in any memory."""


@dataclass(frozen=True)
class Reduced:
    """What came out, and all that a report about it is made from."""

    source: Volume
    """The series as it came."""

    volume: Volume
    """The series as it reads back once it is written: rounded and clipped to what its format
    stores."""

    metal: np.ndarray
    """bool `[slices H W]`: metal whose artifact was corrected; these pixels are the source's."""

    bodies: np.ndarray
    """bool `[slices H W]`: the patient in the source; in slices without metal it may be empty."""

    warnings: tuple[QualityFlag, ...] = ()
    """Reasons to distrust the result."""

    disagreement: np.ndarray | None = None
    """float32 `[slices H W]`, HU: how far the result is from that of the mirrored slice, turned
    back; 0 in slices that were not changed. None for methods that learned nothing."""

    clipped: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    """int `[slices]`: values that did not fit what the format stores and were cut to it."""

    objects: tuple[MetalObject, ...] = ()
    """What is dense enough for metal, object by object, with what was decided; empty where the
    metal was given."""

    left_alone: np.ndarray | None = None
    """bool `[slices H W]`: dense enough for metal and without an artifact; these pixels are the
    source's, too. None where the metal was given."""

    expected_error: np.ndarray | None = None
    """float32 `[slices H W]`, HU: the absolute error that the method expects of its result; 0 in
    slices that were not changed. None for methods that expect none."""

    def log_warnings(self) -> None:
        """Send the warnings to the log; and that nothing had to be done, where that is so."""
        where = self.source.path or "series"
        for flag in self.warnings:
            log.warning("%s: %s: %s", where, flag.key, flag.message)
        alone = [one for one in self.objects if not one.corrected_slices]
        for one in (*(o for o in self.objects if o.corrected_slices), *alone[:LOGGED]):
            log.info("%s: %s", where, one.sentence())
        if (more := len(alone) - LOGGED) > 0:
            log.info("%s: and %d more objects left alone; a report lists them", where, more)
        if not len(self.affected):
            found = "no metal with an artifact" if self.objects else "no metal inside the body"
            log.info("%s: %s: nothing had to be done", where, found)
        elif not len(self.changed):
            log.info("%s: there is metal, but nothing had to be changed", where)

    @property
    def affected(self) -> np.ndarray:
        """int `[n]`: the slices that have metal in them; no other one was changed."""
        return np.flatnonzero(self.metal.any((1, 2)))

    @property
    def changed(self) -> np.ndarray:
        """int `[n]`: the slices of which at least one value changed."""
        return np.flatnonzero((self.volume.hu != self.source.hu).any((1, 2)))


def reduce_volume(
    volume: Volume,
    method: Method,
    *,
    threshold: float = METAL_HU,
    min_metal_mm2: float = 0.0,
    metal: np.ndarray | None = None,
    device: torch.device | None = None,
    progress: Progress = lambda done, total: None,
    flips: bool = False,
) -> Reduced:
    """The series with its metal artifacts reduced.

    Metal, dense objects without an artifact, padding, what is outside the body, and every slice
    without metal to correct keep their values exactly. Metal that is given is not judged.

    metal: bool `[slices H W]` where it is known; found by `threshold` (HU) otherwise, without
        pieces that are smaller than `min_metal_mm2` in their slice.
    flips: reduce every slice mirrored, too, with methods that learned, and compare.
    Raises `InputError` for pixels that are not square.
    """
    hu, pixel = volume.in_air(), volume.square_pixel
    learned, device = method.input_size is not None, device or torch.device("cpu")

    # 1. Find the metal inside the bodies, and judge each object. The search for a body takes 0.1 s
    # at 512 x 512, so it is done once, and only where something may be metal.
    bodies = find_bodies(hu, pixel, where=(hu > threshold) if metal is None else metal)
    found = search_metal(
        volume, method, bodies, device,
        threshold=threshold, min_metal_mm2=min_metal_mm2, given=metal,
    )  # fmt: skip
    metal, objects, left_alone = found.metal, found.objects, found.left_alone

    # 2. Check the input: what is unlike a CT series, or unlike what the network learned from.
    warnings = check_input(volume, hu, metal, bodies, learned=learned)
    affected = np.flatnonzero(metal.any((1, 2)))
    if len(affected) == 0:
        clipped = np.zeros(len(hu), int)
        return Reduced(volume, volume, metal, bodies, warnings, None, clipped, objects, left_alone)

    result, inside = volume.hu.copy(), bodies.copy()
    disagreement = np.zeros_like(volume.hu) if flips and learned else None
    expected_error = None
    progress(0, len(affected))
    for start in range(0, len(affected), BATCH):
        some = affected[start : start + BATCH]
        # Steps 3 to 6.
        corrected, expected = correct_slices(
            method, hu[some], metal[some], bodies[some], pixel, device
        )

        # 7. Paste: implants, objects left alone, padding and what lies outside the body stay the
        # source's. The body is the patient with or without streaks, because they can cut him open.
        inside[some] |= find_bodies(corrected, pixel)
        kept = metal[some] | ~inside[some]
        if left_alone is not None:
            kept = kept | left_alone[some]
        if volume.padding is not None:
            kept = kept | volume.padding[some]
        slices = zip(hu[some], corrected, metal[some], found.tissue[some], strict=True)
        pasted = np.stack([paste(old, new, of, pixel, no) for old, new, of, no in slices])
        result[some] = np.where(kept, volume.hu[some], pasted)

        # Reduce the mirrored slice the same way: where a network's result depends on which way
        # the slice lies, it is not to be trusted.
        if disagreement is not None:
            mirror = np.s_[some, :, ::-1]
            again, _ = correct_slices(
                method, hu[mirror], metal[mirror], bodies[mirror], pixel, device
            )
            disagreement[some] = np.where(kept, 0, np.abs(corrected - again[..., ::-1]))
        if expected is not None:
            expected_error = np.zeros_like(volume.hu) if expected_error is None else expected_error
            expected_error[some] = np.where(kept, 0, expected)
        progress(start + len(some), len(affected))

    # 8. Check the result as its format will store it.
    written, clipped = as_stored(volume.with_hu(result))
    warnings += check_result(
        (written.hu - volume.hu)[affected],
        metal[affected],
        inside[affected],
        pixel,
        None if disagreement is None else disagreement[affected],
        int(clipped.sum()),
    )
    return Reduced(
        volume, written, metal, bodies, warnings, disagreement,
        clipped, objects, left_alone, expected_error,
    )  # fmt: skip
