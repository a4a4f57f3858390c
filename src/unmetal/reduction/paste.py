"""Metal put back into corrected tissue: the whole implant as it was, and a smooth edge about it.

A completed sinogram takes away all that its trace held: with the metal its blurred edge and the
thinner parts of an implant (a port's plastic, a catheter, the ring of a stent), and it leaves a rim
of one or two pixels of undershoot. So what is pasted is more than the mask: dense parts that hang
together with the metal, and the flank from metal down to tissue. The rim, where no ray has measured
tissue alone, is filled from the tissue beyond it.
"""

import numpy as np
from scipy import ndimage

from unmetal.metrics.strata import distance_to

DENSE_HU = 650.0
"""HU above the corrected tissue from which a pixel that hangs together with metal is part of the
implant: more than cortical bone loses by a correction, less than a plastic housing does."""

FAINT_HU = 300.0
"""HU above the corrected tissue up to which nothing of the source returns. Between the two the
weight rises smoothly, so that no step is left."""

REACH_MM = 4.0
"""Distance from metal within which parts of an implant are looked for; its hollows count whole."""

HOLLOW_MM = 8.0
"""Radius of the closing that tells the hollows of a piece of metal: half a port's chamber."""

EDGE_MM = 3.0
"""Distance from the implant at which its blurred edge has ended: three pixels of 1 mm, twice the
full width of a soft kernel's blur."""

RIM_MM = 1.5
"""Width of the rim that is filled from beyond it, and of the passage from fill to correction."""


def paste(
    source: np.ndarray,
    corrected: np.ndarray,
    metal: np.ndarray,
    pixel: float,
    streaks: np.ndarray | None = None,
) -> np.ndarray:
    """HU `[H W]`: corrected tissue with the implant in it.

    source, corrected: HU `[H W]`, before and after. metal: bool `[H W]`, what was corrected. pixel:
    mm. streaks: bool `[H W]`, pixels as dense as metal that are known to be none; nothing of the
    source returns there.
    Implant pixels are the source's, exactly; beyond `EDGE_MM` of them all are `corrected`, exactly;
    none of the others lies outside of the range of what it is blended from.
    """
    if not metal.any():
        return corrected
    # A streak as dense as metal is an excess of the source, too: it is taken for corrected.
    if streaks is not None:
        source = np.where(streaks & ~metal, corrected, source)
    implant = whole_implant(source, corrected, metal, pixel)
    distance = distance_to(implant, pixel)
    tissue = fill_rim(corrected, distance, pixel)
    # How much of the source's excess returns: none up to FAINT_HU, all from DENSE_HU on; whole next
    # to the implant, none at EDGE_MM.
    excess = source - tissue
    by_hu = _smoothstep((excess - FAINT_HU) / (DENSE_HU - FAINT_HU))
    by_distance = _smoothstep((EDGE_MM - distance) / max(EDGE_MM - pixel, pixel))
    blended = tissue + by_hu * by_distance * excess
    return np.where(implant, source, blended).astype(source.dtype)


def whole_implant(
    source: np.ndarray, corrected: np.ndarray, metal: np.ndarray, pixel: float
) -> np.ndarray:
    """bool `[H W]`: the metal and the dense parts that hang together with it."""
    # Where they may be: near the metal, and in what it encloses or nearly encloses.
    distance = distance_to(metal, pixel)
    margin = int(np.ceil(HOLLOW_MM / pixel)) + 1
    grown = np.pad(distance <= HOLLOW_MM, margin)
    hollow = distance_to(~grown, pixel)[margin:-margin, margin:-margin] > HOLLOW_MM
    near = (distance <= REACH_MM) | hollow
    dense = metal | (near & (source - corrected > DENSE_HU))
    pieces, _ = ndimage.label(dense, np.ones((3, 3)))
    with_metal = np.unique(pieces[metal])
    return np.isin(pieces, with_metal[with_metal > 0])


def fill_rim(corrected: np.ndarray, distance: np.ndarray, pixel: float) -> np.ndarray:
    """Corrected HU `[H W]` with what lies within `RIM_MM` of the implant filled from beyond.

    distance: mm from the implant, `[H W]`.
    """
    known = (distance > RIM_MM).astype(np.float64)
    # Normalized convolution: a mean of what is known, weighted by nearness. A constant stays one.
    sigma = RIM_MM / pixel
    weight = ndimage.gaussian_filter(known, sigma)
    total = ndimage.gaussian_filter(known * corrected, sigma)
    # In the middle of a large implant nothing is near; there the implant itself is shown.
    filled = np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), corrected)
    share = _smoothstep(2 - distance / RIM_MM)
    return share * filled + (1 - share) * corrected


def _smoothstep(x: np.ndarray) -> np.ndarray:
    """0 up to 0, 1 from 1 on, and smooth between."""
    x = x.clip(0, 1)
    return x * x * (3 - 2 * x)
