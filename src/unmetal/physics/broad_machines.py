"""Machines whose ranges are broader than any scanner's: what `priornet` learned from.

`broad` has the clinical scanner's rays and wider ranges of everything else; `flat`, a flat panel
at another distance with half the views, is held back from training: what is learned on one is
tried on the other. docs/priornet.md has the ranges beside those of real machines.
"""

import math
from dataclasses import replace

import numpy as np

from unmetal.physics.machines import MACHINES
from unmetal.physics.projection.geometry import FanFlat, Grid
from unmetal.physics.protocol import Protocol
from unmetal.physics.scanner import CT

BROAD = replace(
    MACHINES["clinical"],
    photons=(5e3, 1e6),
    scatter=(0.001, 0.05),
    corrected=(0.4, 1.05),
    motion=(0.1, 2.0),
    motion_probability=0.3,
    electronic=(3.0, 15.0),
)
"""The clinical machine, from starved to overexposed; more scatter than there is may be taken out.
Filter, scatter's width, smoothing, truncation and aperture are drawn by `draw_broad`."""

SMOOTHING = (0.0, 0.05, 0.1, 0.2, 0.3)
"""`Protocol.adaptive_smoothing`, equally likely; `clinical` has 0.1."""


def draw_broad(rng: np.random.Generator, size: tuple[int, int], pixel: float) -> Protocol:
    """A scan by the broad machine, of an image of `size` (height, width) and pixels in mm."""
    model = replace(
        BROAD,
        copper=rng.uniform(0, 0.6),
        width=rng.uniform(0.05, 0.2),
        adaptive_smoothing=float(rng.choice(SMOOTHING)),
        # One patient in eight reaches beyond the field of view.
        fov=(0.6, 0.98) if rng.random() < 0.12 else None,
    )
    protocol = model.draw(rng, size, pixel)
    return replace(protocol, aperture=rng.uniform(0.03, 0.2))


def draw_flat(rng: np.random.Generator, size: tuple[int, int], pixel: float) -> Protocol:
    """A scan by the machine that is held back: no motion, no smoothing, twice the dose."""
    model = replace(
        BROAD,
        scanner=flat_panel,
        copper=0.05,
        kvp=(100, 120, 140),
        width=0.2,
        motion_probability=0.0,
    )
    protocol = model.draw(rng, size, pixel)
    return replace(protocol, aperture=0.1, adaptive_smoothing=0.0, photons=protocol.photons * 2)


def flat_panel(height: int, width: int, pixel: float) -> CT:
    """A flat panel two fields from the axis (pixel in cm), 0.8 of that behind it.

    Bins are 1.1 pixels at the axis, and views 1.3 to a pixel of the longer side, in eights.
    """
    grid = Grid(height, width, pixel)
    source, at_axis = 2.0 * max(height, width) * pixel, pixel * 1.1
    # The tangent ray to the circle about the image, where it meets the axis.
    reach = source * math.tan(math.asin(grid.radius / source))
    bins = 2 * math.ceil(reach / at_axis) + 3
    views = 8 * round(1.3 * max(height, width) / 8)
    # 1.8: what is a bin at the axis is so much wider on the panel.
    return CT(FanFlat(views, bins, at_axis * 1.8, source, source * 0.8), grid)
