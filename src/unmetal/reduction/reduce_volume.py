"""The main line of `unmetal reduce`, in memory: a series in, the same series without artifacts out.

Read `reduce_volume` from top to bottom: find the metal and judge each object, check the input,
correct the slices that have metal with an artifact, paste what was corrected into the body, check
the result. `correct_slices` is the middle of it: derive the sinogram, run the network, make its
image consistent with the rays that missed the metal, restore the detail that re-projection cost.
`reduce_series.reduce_series` reads before and writes after.
"""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.files import as_stored
from unmetal.methods.method import Method
from unmetal.physics.derive import body_mask, complete, metal_mask, without_small_pieces
from unmetal.physics.scanner import reprojection
from unmetal.reduction.cautions import QualityFlag, check_input, check_result
from unmetal.reduction.metal_objects import MetalObject, judge_metal, objects_left_alone
from unmetal.reduction.network_image import (
    CONSISTENCY_INPUTS,
    enforce_data_consistency,
    network_image,
)
from unmetal.reduction.paste import paste
from unmetal.scan import Progress, Scan, Volume
from unmetal.units import METAL_HU, MU_WATER, hu_to_mu, mu_to_hu

log = logging.getLogger("unmetal")

DETAIL_HU = 20.0
"""Change, HU, at which half of the detail is given back."""

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

    # 1. Find the metal inside the bodies. The search for a body takes 0.1 s at 512 x 512, so it is
    # done once, and only where something may be metal.
    bodies = find_bodies(hu, pixel, where=(hu > threshold) if metal is None else metal)
    objects: tuple[MetalObject, ...] = ()
    left_alone, streaks = None, np.zeros(hu.shape, bool)
    if metal is None:
        # What is dense; what of it a network that learned so takes for metal; what of that makes
        # streaks. Where nothing does, nothing is corrected.
        dense = find_metal(volume, threshold, bodies)
        confirmed = confirm_metal(method, hu, dense, device)
        confirmed = without_small_pieces(confirmed, pixel, min_metal_mm2)
        metal, objects = judge_metal(hu, dense, bodies, volume.spacing, confirmed=confirmed)
        left_alone = objects_left_alone(dense, objects, pixel)
        # The rest of what is dense belongs to a corrected object and is no metal.
        streaks = dense & ~metal & ~left_alone
    # Where something of the source may return beside the metal.
    implants = segment_implants(method, hu, metal, device)

    # 2. Check the input: what is unlike a CT series, or unlike what the network learned from.
    warnings = check_input(volume, hu, metal, bodies, learned=learned)
    affected = np.flatnonzero(metal.any((1, 2)))
    if len(affected) == 0:
        clipped = np.zeros(len(hu), int)
        return Reduced(volume, volume, metal, bodies, warnings, None, clipped, objects, left_alone)

    result, inside = volume.hu.copy(), bodies.copy()
    disagreement = np.zeros_like(volume.hu) if flips and learned else None
    progress(0, len(affected))
    for start in range(0, len(affected), BATCH):
        some = affected[start : start + BATCH]
        # Steps 3 to 6.
        corrected = correct_slices(method, hu[some], metal[some], bodies[some], pixel, device)

        # 7. Paste: implants, objects left alone, padding and what lies outside the body stay the
        # source's. The body is the patient with or without streaks, because they can cut him open.
        inside[some] |= find_bodies(corrected, pixel)
        kept = metal[some] | ~inside[some]
        if left_alone is not None:
            kept = kept | left_alone[some]
        if volume.padding is not None:
            kept = kept | volume.padding[some]
        streak = streaks[some] | ~implants[some]
        slices = zip(hu[some], corrected, metal[some], streak, strict=True)
        pasted = np.stack([paste(old, new, of, pixel, no) for old, new, of, no in slices])
        result[some] = np.where(kept, volume.hu[some], pasted)

        # Reduce the mirrored slice the same way: where a network's result depends on which way
        # the slice lies, it is not to be trusted.
        if disagreement is not None:
            mirror = np.s_[some, :, ::-1]
            again = correct_slices(method, hu[mirror], metal[mirror], bodies[mirror], pixel, device)
            again = again[..., ::-1]
            disagreement[some] = np.where(kept, 0, np.abs(corrected - again))
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
        volume, written, metal, bodies, warnings, disagreement, clipped, objects, left_alone
    )


def segment_implants(
    method: Method, hu: np.ndarray, metal: np.ndarray, device: torch.device
) -> np.ndarray:
    """bool `[slices H W]`: where an implant may be, in slices that have metal: the metal, and what
    the method segments as metal at any density.

    Without a segmentation it is the metal alone. A rule by density keeps bright streaks, too: on
    held-back simulations (docs/priornet.md) it took NMAR's error from 71 to 83 HU.
    hu: `[slices H W]`, HU.
    """
    if not method.segments_metal:
        return metal
    searched = np.broadcast_to(metal.any((1, 2), keepdims=True), hu.shape)
    return metal | confirm_metal(method, hu, searched, device)


def correct_slices(
    method: Method,
    hu: np.ndarray,
    metal: np.ndarray,
    bodies: np.ndarray,
    pixel: float,
    device: torch.device,
) -> np.ndarray:
    """HU `[n H W]` with the artifacts reduced, metal and outside of the body not yet restored.

    hu: `[n H W]`, HU. metal, bodies: bool `[n H W]`. pixel: mm.
    """
    learned = method.input_size is not None
    # [n H W] -> [n 1 H W], in 1/cm.
    image = hu_to_mu(_as_batch(hu, device))
    height, width = hu.shape[1:]
    scan = Scan(image, reprojection(height, width, pixel / 10), _as_batch(metal, device))
    with torch.inference_mode():
        # 3. Derive what is missing: the sinogram by re-projection, the trace from the metal. The
        # scan's image then is the reconstruction of that sinogram, a little less sharp.
        scan = complete(scan, CONSISTENCY_INPUTS if learned else method.inputs, pixel)
        if learned:
            # 4. The network, at the size it was trained at.
            network = network_image(method, image, bodies)
            # 5. Its image is only a prior: rays that missed the metal keep what they measured.
            corrected = enforce_data_consistency(network, image, scan)
        else:
            # 4. and 5. A classical method completes the sinogram itself.
            corrected = method.reduce(scan)
        if scan.sinogram is not None:
            # 6. Re-projection blurred the image; where nothing was corrected, undo that.
            corrected = restore_detail(corrected, scan.image, image)
        return mu_to_hu(corrected)[:, 0].cpu().numpy()


def restore_detail(result: Tensor, projected: Tensor, image: Tensor) -> Tensor:
    """Give back what re-projection blurred, where nothing was corrected; all `[B 1 H W]` 1/cm.

    `projected` is `image` after projection and reconstruction. The difference of the two is edges
    and noise of the patient, but next to metal it is the finest streaks; so it returns by a
    weight 1 / (1 + (change / DETAIL_HU)^2), the change being its root mean square over 3 x 3
    pixels. On simulated clinical slices that costs nothing, where giving all of it back makes
    the error a third larger (benchmarks/reprojection.py).
    """
    change = F.avg_pool2d((result - projected) ** 2, 3, 1, 1)
    weight = 1 / (1 + change / (DETAIL_HU * MU_WATER / 1000) ** 2)
    return result + weight * (image - projected)


def find_metal(
    volume: Volume, threshold: float = METAL_HU, bodies: np.ndarray | None = None
) -> np.ndarray:
    """bool `[slices H W]`: metal inside the body, slice by slice.

    bodies: bool `[slices H W]`, where they are known in all slices above `threshold` (HU).
    """
    hu, pixel = volume.in_air(), volume.square_pixel
    known = [None] * len(hu) if bodies is None else bodies
    pairs = zip(hu, known, strict=True)
    return np.stack([metal_mask(slice_, pixel, threshold, body) for slice_, body in pairs])


def confirm_metal(
    method: Method, hu: np.ndarray, candidates: np.ndarray, device: torch.device
) -> np.ndarray:
    """bool `[slices H W]`: which of the `candidates`, of that shape, the method takes for metal.

    hu: `[slices H W]`, HU.
    """
    metal = candidates.copy()
    # One slice at a time: it is fast, and a series may have hundreds.
    for index in np.flatnonzero(candidates.any((1, 2))):
        image, mask = (_as_batch(x[index : index + 1], device) for x in (hu, candidates))
        with torch.inference_mode():
            metal[index] = method.confirm_metal(hu_to_mu(image), mask)[0, 0].cpu().numpy()
    return metal


def find_bodies(hu: np.ndarray, pixel: float, where: np.ndarray | None = None) -> np.ndarray:
    """bool `[n H W]`: the patient in HU `[n H W]`, pixels of `pixel` mm.

    where: bool `[n H W]`; a slice without any of it is not searched and stays empty.
    """
    some = range(len(hu)) if where is None else np.flatnonzero(where.any((1, 2)))
    bodies = np.zeros(hu.shape, bool)
    for index in some:
        bodies[index] = body_mask(hu[index], pixel)
    return bodies


def _as_batch(array: np.ndarray, device: torch.device) -> Tensor:
    """`[n H W]` as `[n 1 H W]` on the device."""
    # torch takes no views with negative strides, as mirrored slices are.
    return torch.from_numpy(np.ascontiguousarray(array))[:, None].to(device)
