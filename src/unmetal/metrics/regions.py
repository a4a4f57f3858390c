"""Where to measure: regions chosen once for a case from truth, metal and body, by rule.

The AAPM CT-MAR challenge drew its regions by hand, case by case. These are drawn by the same
criteria (homogeneous and far from metal, edges of soft tissue and of bone, soft tissue that streaks
cross), never by what a method made of the slice.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage

from unmetal.metrics.proton import Beam, choose_beam
from unmetal.metrics.strata import TISSUE_HU, depth_in, distance_to
from unmetal.physics.derive import dilate

FAR_MM = 20.0
"""The noise is measured farther than this from metal where a region fits there."""

NEAR_MM = 40.0
"""Streaks and edges are looked for up to here: what lies beyond has few."""

NOISE_MM, EDGE_MM = 8.0, 8.0
"""Radii of the disc in which noise is measured, and of those in which edges are."""

METAL_MM = 10.0
"""How far around the true metal other metal is looked for."""

METAL_MARGIN = 250.0
"""HU above the densest tissue near metal from which a pixel is metal. Source: AAPM CT-MAR."""

SMOOTH_MM = 1.5
"""Sigma of the smoothing before tissues and edges are looked for: noise is neither."""

STEEP = 20.0
"""HU per mm of the smoothed truth from which it is an edge: its blur would pass for a streak."""

LEAST_SLOPE = 0.5
"""HU per mm on average over a disc, below which there is no edge in it: fat has more."""

BONE_HU = TISSUE_HU[2]
"""HU from which it is bone, or as dense. Source: AAPM CT-MAR, 150 HU."""


@dataclass(frozen=True)
class Regions:
    """Masks are bool `[H W]`, and may be empty: what is measured in an empty one is NaN."""

    pixel: float
    """mm."""
    metal: np.ndarray
    """The true metal."""
    near: np.ndarray
    """The true metal and 2 px around it, where nothing is scored but the metal itself."""
    counted: np.ndarray
    """The body, without what is near metal."""
    around: np.ndarray
    """The body within `METAL_MM` of metal, metal included."""
    metal_hu: float
    """HU above which a pixel in there is metal: denser than any tissue there."""
    noise: np.ndarray
    """The most homogeneous disc of soft tissue, far from metal."""
    soft_edge: np.ndarray
    """The disc with the steepest edges among soft tissues."""
    bone_edge: np.ndarray
    """The disc with the steepest edges of bone."""
    streak: np.ndarray
    """Soft tissue and fat near metal, but for their edges."""
    beam: Beam
    """To a target beside the metal."""


def choose_regions(truth: np.ndarray, metal: np.ndarray, body: np.ndarray, pixel: float) -> Regions:
    """Regions of one slice. truth: HU `[H W]`. metal, body: bool `[H W]`. pixel: mm."""
    close = dilate(torch.from_numpy(metal)[None, None], 2)[0, 0].numpy()
    counted = body & ~close
    distance = distance_to(metal, pixel)
    near = distance <= NEAR_MM
    # Fat and soft tissue; and bone with 2 px about it, where its edges lie.
    smooth, slope = _smoothed(truth, pixel)
    lean = counted & (smooth > TISSUE_HU[0]) & (smooth < BONE_HU)
    bony = ndimage.binary_dilation(smooth >= BONE_HU, iterations=2) & (smooth > TISSUE_HU[0])
    around = (body & (distance <= METAL_MM)) | metal
    # What is smoothed takes the slope of bone and air beside it for its own.
    among_soft = depth_in(lean, pixel) > EDGE_MM + 2 * SMOOTH_MM
    beside_bone = depth_in(counted, pixel) > EDGE_MM
    return Regions(
        pixel=pixel,
        metal=metal,
        near=close,
        counted=counted,
        around=around,
        # Of the densest tissue; of soft tissue (100 HU) at least, and where there is none.
        metal_hu=float(truth[around & ~metal].max(initial=100.0)) + METAL_MARGIN,
        noise=_homogeneous(truth, lean & (smooth > TISSUE_HU[1]), distance, pixel),
        soft_edge=_steepest(slope, lean, among_soft, near, pixel),
        bone_edge=_steepest(slope, counted & bony, beside_bone, near, pixel),
        streak=flat_tissue(truth, counted & near, pixel),
        beam=choose_beam(body, metal, counted, pixel),
    )


def flat_tissue(hu: np.ndarray, where: np.ndarray, pixel: float) -> np.ndarray:
    """Fat and soft tissue but for their edges, bool `[H W]`; HU `[H W]`, where bool `[H W]`."""
    smooth, slope = _smoothed(hu, pixel)
    lean = (smooth > TISSUE_HU[0]) & (smooth < BONE_HU)
    return where & lean & ~ndimage.binary_dilation(slope > STEEP)


def _smoothed(hu: np.ndarray, pixel: float) -> tuple[np.ndarray, np.ndarray]:
    """HU `[H W]` without noise, and their slope in HU per mm."""
    hu = hu.astype(np.float64)
    slope = ndimage.gaussian_gradient_magnitude(hu, SMOOTH_MM / pixel) / pixel
    return ndimage.gaussian_filter(hu, SMOOTH_MM / pixel), slope


def _homogeneous(
    truth: np.ndarray, tissue: np.ndarray, distance: np.ndarray, pixel: float
) -> np.ndarray:
    """The disc of a tissue in which the truth varies least; empty where none fits."""
    fits = depth_in(tissue, pixel) > NOISE_MM
    if (fits & (distance > FAR_MM + NOISE_MM)).any():
        fits &= distance > FAR_MM + NOISE_MM
    # With what lies about it, which a blur would carry in.
    disc = _disc(NOISE_MM + 2 * SMOOTH_MM, pixel)
    known = np.where(tissue, truth, 0).astype(np.float64)
    # E[x^2] - E[x]^2 over the disc about every pixel.
    variance = convolve(known**2, disc) - convolve(known, disc) ** 2
    return _placed(np.where(fits, variance, np.inf).argmin(), fits, NOISE_MM, pixel)


def _steepest(
    slope: np.ndarray, edges: np.ndarray, fits: np.ndarray, near: np.ndarray, pixel: float
) -> np.ndarray:
    """The `edges` in the disc that has most slope in them, of those that fit, near metal where one
    does; empty where none fits or there are no edges."""
    # Mean slope over the disc about every pixel, edges elsewhere counting 0.
    found = convolve(np.where(edges, slope, 0), _disc(EDGE_MM, pixel))
    fits = fits & (found > LEAST_SLOPE)
    fits = fits & near if (fits & near).any() else fits
    return edges & _placed(np.where(fits, found, -1).argmax(), fits, EDGE_MM, pixel)


def _disc(radius: float, pixel: float) -> np.ndarray:
    """float `[n n]`, sum 1: the weights of a disc of that radius, mm."""
    reach = int(radius / pixel)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (rows**2 + columns**2) * pixel**2 <= radius**2
    return disc / disc.sum()


def convolve(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """`[H W]` convolved with a kernel `[n n]`, n odd; zeros beyond the edge."""
    # By FFT, for a disc of 8 mm has 600 pixels; padded, so that nothing wraps, and cut back.
    shape = [n + len(kernel) - 1 for n in values.shape]
    product = np.fft.rfft2(values, shape) * np.fft.rfft2(kernel, shape)
    reach, (height, width) = len(kernel) // 2, values.shape
    return np.fft.irfft2(product, shape)[reach : reach + height, reach : reach + width]


def _placed(index: np.intp, fits: np.ndarray, radius: float, pixel: float) -> np.ndarray:
    """The disc of that radius (mm) about the pixel of that flat index, empty unless one `fits`."""
    if not fits.any():
        return np.zeros(fits.shape, bool)
    row, column = np.unravel_index(index, fits.shape)
    rows, columns = np.ogrid[: fits.shape[0], : fits.shape[1]]
    return ((rows - row) ** 2 + (columns - column) ** 2) * pixel**2 <= radius**2
