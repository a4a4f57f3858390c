"""Shapes of what looks like metal, painted into a slice: blurred edges, noise, plateaus."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

TOP_HU = 3071.0
"""Where the scale of a 12-bit scanner ends; what is denser is cut to a plateau."""

BONE_HU = 200.0
"""HU from which a pixel is taken for bone."""

NOISE_HU = 10.0
"""Standard deviation of an object's noise: a flat one would be told from tissue by that alone."""


@dataclass(frozen=True)
class Lookalike:
    """One object: an ellipse, solid or hollow, whose edge may be wavy."""

    row: float
    """Pixel index of its center."""
    column: float
    length: float
    """mm along its longer side."""
    width: float
    """mm across."""
    angle: float
    """Radians from the row axis to the longer side."""
    hu: float
    """HU at its densest pixel, blur included; above `TOP_HU` it becomes a plateau."""
    blur: float
    """Sigma of its edge, mm."""
    wall: float = 0.0
    """mm of its wall where it is hollow (a stent, a catheter); 0 for a solid one."""
    struts: int = 0
    """Pieces of its wall, evenly about it; 0 for a closed one."""
    waves: tuple[tuple[float, float], ...] = ()
    """Share of the radius and phase of the edge's harmonics from the second on."""
    above: float | None = None
    """HU of what floats on it (gas, unopacified fluid) in a patient on the back; None for full."""
    level: float = 0.0
    """Where that begins, from -1 (its top) to 1."""
    mottle: float = 0.0
    """Relative standard deviation of its value, in patches of 3 mm: contrast that has not mixed."""
    gain: float = 0.0
    """Where positive, nothing is put in: bone under it is this much denser, up to `hu`."""
    seed: int = 0
    """Seed of its mottle and noise."""


def paint(
    hu: np.ndarray, pixel: float, objects: Sequence[Lookalike]
) -> tuple[np.ndarray, np.ndarray]:
    """The slice with these objects, HU float32 `[H W]`, and where they are, bool `[H W]`: where
    more than 0.3 of a pixel is theirs. hu: HU `[H W]`, which stays as it is."""
    hu, painted = hu.astype(np.float32), np.zeros(hu.shape, bool)
    for x in objects:
        # Only the box around the object is computed; waves reach beyond the ellipse.
        far = x.length / 2 * (1 + sum(share for share, _ in x.waves)) + 4 * x.blur
        reach = math.ceil(far / pixel) + 1
        top, left = max(0, round(x.row) - reach), max(0, round(x.column) - reach)
        box = np.s_[
            top : max(0, round(x.row) + reach + 1), left : max(0, round(x.column) + reach + 1)
        ]
        if hu[box].size:
            share = _share(x, hu[box].shape, top, left, pixel)
            value = _values(x, hu[box], top, pixel)
            painted[box] |= (share > 0.3) & (np.abs(value - hu[box]) > 1)
            # The scale ends after the blur, as in a scanner: a plateau has steep edges.
            after = hu[box] + share * (value - hu[box])
            hu[box] = np.minimum(after, np.maximum(hu[box], TOP_HU))
    return hu, painted


def _share(x: Lookalike, shape: tuple[int, ...], top: int, left: int, pixel: float) -> np.ndarray:
    """How much of each pixel of a box is the object's, float32: 1 at its densest pixel."""
    down = (np.arange(shape[0], dtype=np.float32)[:, None] + top - x.row) * pixel
    right = (np.arange(shape[1], dtype=np.float32)[None] + left - x.column) * pixel
    cos, sin = math.cos(x.angle), math.sin(x.angle)
    # In half axes from the center, turned into the axes of the object.
    long, short = x.length / 2, x.width / 2
    along, across = (right * cos + down * sin) / long, (down * cos - right * sin) / short
    radius = np.hypot(along, across)
    # mm from the edge, positive outside: first order, by the radius' slope.
    edge = np.ones_like(radius)
    if x.waves or x.struts:
        turn = np.arctan2(across, along)
        for k, (strength, phase) in enumerate(x.waves, start=2):
            edge += strength * np.cos(k * turn + phase)
    slope = np.hypot(along / long, across / short) / np.maximum(radius, 1e-3)
    gap = (radius - edge) / np.maximum(slope, 1e-3)
    if x.wall:
        gap = np.abs(gap + x.wall / 2) - x.wall / 2
    # An edge that passes through a pixel covers a part of it.
    share = np.clip(0.5 - gap / pixel, 0, 1)
    if x.struts:
        share *= np.cos(x.struts * turn) > 0
    share = ndimage.gaussian_filter(share, x.blur / pixel, truncate=3)
    # What is thinner than its blur would vanish; its value is stated as it is read in the slice.
    return share / max(float(share.max()), 1e-3)


def _values(x: Lookalike, before: np.ndarray, top: int, pixel: float) -> np.ndarray:
    """HU of the object where it is alone, float32 like the box of the slice before it."""
    if x.gain:
        dense = before + x.gain * np.maximum(before - BONE_HU, 0)
        return np.maximum(before, np.minimum(dense, x.hu)).astype(np.float32)
    rng = np.random.default_rng(x.seed)
    # Noise of a soft kernel: white, smoothed by a pixel, which leaves 1 / (2 sqrt(pi)) of it.
    grain = ndimage.gaussian_filter(rng.standard_normal(before.shape, dtype=np.float32), 1.0)
    value = np.full(before.shape, x.hu, np.float32)
    if x.mottle:
        patches = rng.standard_normal(before.shape, dtype=np.float32)
        patches = ndimage.gaussian_filter(patches, 3 / pixel, truncate=3)
        value *= 1 - x.mottle * np.abs(patches) / max(float(patches.std()), 1e-6)
    if x.above is not None:
        rows = np.arange(len(before))[:, None] + top
        value = np.where(rows < x.row + x.level * x.width / 2 / pixel, x.above, value)
    return (value + NOISE_HU * 2 * math.sqrt(math.pi) * grain).astype(np.float32)
