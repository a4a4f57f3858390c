"""The paper's rules: which slices are affected, which are clean, which are left out.

A rule sees one slice at its native size: a piece of 400 pixels has 100 after halving.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from unmetal.cohorts.preparation.request import Limits
from unmetal.physics.derive import metal_mask

AFFECTED, CLEAN, LEFT_OUT = "affected", "clean", "left out"
"""The decisions of a rule."""


class Verdict(NamedTuple):
    """The decision of a rule on a slice, and the two numbers it was made by."""

    decision: str
    reason: str
    max_hu: float
    component_px: int
    """Pixels of the largest 8-connected piece of metal."""


Rule = Callable[[np.ndarray, float, Limits], Verdict]
"""From a slice, HU `[H W]`, and its pixel size in mm."""


def largest_component(mask: np.ndarray) -> int:
    """Pixels of the largest piece, neighbours by edge or corner, of a mask, bool `[H W]`."""
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    return int(np.bincount(pieces.ravel())[1:].max()) if count else 0


def by_maximum(hu: np.ndarray, pixel: float, limits: Limits) -> Verdict:
    """The rule for SpineWeb (CL1): by the maximum and the largest piece of metal, wherever."""
    top, component = _measured(hu, limits)
    if component > limits.component_px:
        return Verdict(AFFECTED, "", top, component)
    if top > limits.metal_hu:
        return Verdict(LEFT_OUT, "too little metal", top, component)
    if top > limits.clean_hu:
        return Verdict(LEFT_OUT, "denser than clean slices are", top, component)
    return Verdict(CLEAN, "", top, component)


def only_affected(hu: np.ndarray, pixel: float, limits: Limits) -> Verdict:
    """For cone-beam CT (CL2), of which the paper has no clean slices: its noise and shading are
    those of the scanner, and a discriminator would learn these."""
    found = by_maximum(hu, pixel, limits)
    if found.decision == CLEAN:
        return found._replace(decision=LEFT_OUT, reason="no metal")
    return found


def only_clean(hu: np.ndarray, pixel: float, limits: Limits) -> Verdict:
    """For the CT beside cone-beam CT: its artifacts are not those to be learned."""
    found = by_maximum(hu, pixel, limits)
    if found.decision == AFFECTED:
        return found._replace(decision=LEFT_OUT, reason="metal")
    return found


def without_metal(hu: np.ndarray, pixel: float, limits: Limits) -> Verdict:
    """For DeepLesion (SYN): clean but for those with metal in the body, as `reduce` finds it. The
    paper's code comes with a list of such slices."""
    top, component = _measured(hu, limits)
    if metal_mask(hu, pixel, limits.metal_hu).any():
        return Verdict(LEFT_OUT, "metal in the body", top, component)
    return Verdict(CLEAN, "", top, component)


def _measured(hu: np.ndarray, limits: Limits) -> tuple[float, int]:
    top = float(hu.max())
    return top, largest_component(hu > limits.metal_hu) if top > limits.metal_hu else 0
