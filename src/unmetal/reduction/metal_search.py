"""Where the metal is that is to be corrected: what is dense, what a network segments as metal, and
what of that makes streaks. Where nothing does, nothing is corrected.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy import ndimage

from unmetal.methods.method import Method
from unmetal.methods.prior_net import PriorNet
from unmetal.metrics.strata import distance_to
from unmetal.physics.derive import body_mask, metal_mask, without_small_pieces
from unmetal.reduction.metal_objects import (
    MetalObject,
    judge_metal,
    label_objects,
    objects_left_alone,
)
from unmetal.scan import Volume
from unmetal.units import METAL_HU, hu_to_mu
from unmetal.weights.load import load_method

SLIT_MM = 2.0
"""Half the width of what may lie between two parts of an implant and is its own, whatever the
network says: the middle of a port, which it leaves out."""


@dataclass(frozen=True)
class FoundMetal:
    """Metal to correct, and what else was found; arrays are bool `[slices H W]`."""

    metal: np.ndarray
    """What is corrected."""

    tissue: np.ndarray
    """Where no part of an implant can be, in slices with metal: beside it, all that is not
    segmented as metal. By density alone bright streaks would pass for implants
    (docs/derived.md)."""

    objects: tuple[MetalObject, ...] = ()
    """Every dense object with its decision; empty where the metal was given."""

    left_alone: np.ndarray | None = None
    """Dense, and not corrected where it is; None where the metal was given."""


def search_metal(
    volume: Volume,
    method: Method,
    bodies: np.ndarray,
    device: torch.device,
    *,
    threshold: float,
    min_metal_mm2: float = 0.0,
    given: np.ndarray | None = None,
) -> FoundMetal:
    """The metal to correct, in a series whose bodies, bool `[slices H W]`, are known where anything
    is above `threshold` (HU).

    min_metal_mm2: pieces that are smaller in their slice are left alone. given: the metal, bool
    `[slices H W]`, where it is known; it is not judged.
    """
    hu, pixel = volume.in_air(), volume.square_pixel
    dense = find_metal(volume, threshold, bodies) if given is None else given
    segmented = segment(method, hu, np.any(dense, (1, 2)), device)
    if given is not None:
        return FoundMetal(given, ~closed(given | segmented, pixel))
    confirmed = without_small_pieces(dense & segmented, pixel, min_metal_mm2)
    metal, objects = judge_metal(
        hu, dense, bodies, volume.spacing, confirmed=confirmed, segmented=segmented
    )
    left_alone = objects_left_alone(dense, objects, pixel)
    # Another object that lies in between keeps its own decision.
    metal = metal | dense & ~left_alone & enclosed(metal, pixel)
    return FoundMetal(metal, ~closed(metal | segmented, pixel), objects, left_alone)


def enclosed(metal: np.ndarray, pixel: float) -> np.ndarray:
    """bool `[slices H W]`: what lies between two pixels of one object, along its row or its column.

    What is dense there is the object's own, whatever a network says: the floor of a port, between
    its walls. A streak as dense leads away from its object. metal: of that shape. pixel: mm.
    """
    labels = label_objects(metal, pixel)
    between = np.zeros_like(metal)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == number
        for axis in (1, 2):
            before = np.logical_or.accumulate(own, axis)
            after = np.flip(np.logical_or.accumulate(np.flip(own, axis), axis), axis)
            between[box] |= before & after
    return between


def closed(masks: np.ndarray, pixel: float) -> np.ndarray:
    """bool `[slices H W]`: each slice's mask and its slits of up to twice `SLIT_MM`. pixel: mm."""
    result = masks.copy()
    for index in np.flatnonzero(masks.any((1, 2))):
        # Grown by a disc, then shrunk by it; distances are faster than a disc of any size.
        grown = distance_to(masks[index], pixel) <= SLIT_MM
        result[index] |= distance_to(~grown, pixel) > SLIT_MM
    return result


def segment(method: Method, hu: np.ndarray, where: np.ndarray, device: torch.device) -> np.ndarray:
    """bool `[slices H W]`: metal of any density, in the slices `where`, bool `[slices]`, as the
    method segments it, or PriorNet's segmenter for one that does not. hu: `[slices H W]`, HU."""
    segmented = np.zeros(hu.shape, bool)
    # One slice at a time: it is fast, and a series may have hundreds.
    for index in np.flatnonzero(where):
        image = hu_to_mu(torch.from_numpy(hu[index])[None, None].to(device))
        with torch.inference_mode():
            found = method.segment_metal(image)
            if found is None:
                found = released_segmenter(device).segment_metal(image)
        segmented[index] = found[0, 0].cpu().numpy()
    return segmented


@cache
def released_segmenter(device: torch.device) -> PriorNet:
    """The method whose segmenter serves all that have none of their own."""
    method, _ = load_method("priornet")
    assert isinstance(method, PriorNet)
    return method.to(device)


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


def find_bodies(hu: np.ndarray, pixel: float, where: np.ndarray | None = None) -> np.ndarray:
    """bool `[n H W]`: the patient in HU `[n H W]`, pixels of `pixel` mm.

    where: bool `[n H W]`; a slice without any of it is not searched and stays empty.
    """
    some = range(len(hu)) if where is None else np.flatnonzero(where.any((1, 2)))
    bodies = np.zeros(hu.shape, bool)
    for index in some:
        bodies[index] = body_mask(hu[index], pixel)
    return bodies
