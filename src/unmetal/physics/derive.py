"""Body, metal, sinogram and metal trace derived from an image; masks grown, images averaged."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from unmetal.scan import Scan
from unmetal.units import METAL_HU, mu_to_hu

EDGE = 0.4
"""Share of its peak at which a blurred edge is; half for a large object, and a little less, because
a missed pixel of metal leaves its streaks and one too many costs next to nothing."""

GROW = 0.8
"""Share of the threshold down to which a piece is followed: 2000 HU, above any bone but enamel."""

SURE_HU = 4000.0
"""HU, a third of solid titanium's: nothing below it is solid metal."""


def body_mask(hu: np.ndarray, pixel: float) -> np.ndarray:
    """bool `[H W]`: the patient, without table, leads and wires. HU `[H W]`, pixels of `pixel` mm.

    Pieces above -400 HU that are thicker than 6 mm, which the shell of a table is not: the largest
    one, and all others of at least 10 cm2 (arms). Holes are filled (lungs, bowel), and so are dark
    streaks up to 16 mm wide, which cut the body open where metal lies under the skin.
    """
    # Noise between metals exceeds tissue's contrast to air: smooth it, without smearing the metal.
    dense = ndimage.gaussian_filter(hu.clip(-1000, 500), 2 / pixel) > -400
    # Opening by 3 mm: what is thinner than 6 mm has no core and is dropped.
    core = _eroded(dense, 3 / pixel)
    if not core.any():
        return np.zeros(hu.shape, dtype=bool)
    pieces, _ = ndimage.label(_filled(dense & _dilated(core, 3 / pixel)))
    # Pixels of each piece; the first entry is the background.
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    large = (areas == areas.max()) | (areas * pixel**2 >= 1000)
    large[0] = False
    gap = 8 / pixel
    margin = math.ceil(gap) + 2
    # Closing by 8 mm (with a margin, so that the border neither helps nor hurts), then holes.
    body = np.pad(large[pieces], margin)
    closed = _eroded(_filled(_dilated(body, gap)), gap)
    return _filled(body | closed)[margin:-margin, margin:-margin]


def _dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    """By a disc (radius in pixels); faster than by a distance transform, and the same."""
    rows, columns = mask.shape
    far, reach = columns + math.ceil(radius), min(math.floor(radius), rows - 1)
    # Distance along the row to the nearest pixel of the mask, from either side.
    column = np.arange(columns)
    before = column - np.maximum.accumulate(np.where(mask, column, -far), 1)
    behind = np.minimum.accumulate(np.where(mask, column, columns + far)[:, ::-1], 1)[:, ::-1]
    along = np.minimum(before, behind - column).astype(np.int32)
    dilated = along <= radius
    for step in range(1, reach + 1):
        # Of a row so many steps away, what is near enough along it.
        near = along <= math.sqrt(radius**2 - step**2)
        dilated[step:] |= near[:-step]
        dilated[:-step] |= near[step:]
    return dilated


def _eroded(mask: np.ndarray, radius: float) -> np.ndarray:
    """By a disc; outside the image is outside the mask."""
    return ~_dilated(np.pad(~mask, 1, constant_values=True), radius)[1:-1, 1:-1]


def _filled(mask: np.ndarray) -> np.ndarray:
    """With its holes, which are what does not reach the border of the image; the same as
    `ndimage.binary_fill_holes` and faster."""
    pieces, count = ndimage.label(~mask)
    outside = np.zeros(count + 1, bool)
    for edge in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        outside[edge] = True
    outside[0] = False
    return ~outside[pieces]


def metal_mask(
    hu: np.ndarray, pixel: float, threshold: float = METAL_HU, body: np.ndarray | None = None
) -> np.ndarray:
    """bool `[H W]`: metal inside the body. HU `[H W]`, pixels of `pixel` mm; body: where
    `body_mask` of the slice is known already.

    A connected piece above `GROW * threshold` counts when it exceeds `threshold` somewhere and
    lies in the body for the most part. Its edge is where it falls to `EDGE` of its peak. Where the
    scale ends before the metal does (3071 HU with 12 bits: three and more pixels at the slice's
    maximum), the peak is unknown, and everything below the end of the scale, or below
    `SURE_HU`, is taken for blur or a streak.
    """
    seeds = hu > threshold
    if not seeds.any():
        return np.zeros(hu.shape, dtype=bool)
    low, top = GROW * threshold, hu.max()
    # Hysteresis: pieces above the lower threshold that exceed the upper one somewhere.
    pieces, count = ndimage.label(hu > low, np.ones((3, 3)))
    names = np.arange(1, count + 1)
    peak = ndimage.maximum(hu, pieces, names)
    edge = np.maximum(EDGE * peak, low)
    if (hu == top).sum() >= 3:
        edge = np.where(peak == top, np.maximum(edge, min(top - 1, SURE_HU)), edge)
    body = body_mask(hu, pixel) if body is None else body
    inside = ndimage.mean(body, pieces, names)
    edge[(peak <= threshold) | (inside < 0.5)] = np.inf
    # Each pixel against the edge of its own piece; background has an infinite one.
    metal = hu > np.concatenate([[np.inf], edge])[pieces]
    # What metal encloses and is denser than cortical bone (1800 HU on average) is the implant's
    # own inside (a port, a pacemaker).
    holes, count = ndimage.label(_filled(metal) & ~metal)
    dense = ndimage.mean(hu, holes, np.arange(1, count + 1)) > 1800
    return metal | np.concatenate([[False], dense])[holes]


def without_small_pieces(metal: np.ndarray, pixel: float, area: float) -> np.ndarray:
    """bool `[slices H W]`: the metal without its pieces of less than `area` mm2.

    A piece is what is connected within one slice, diagonally as well. pixel: mm.
    """
    if area <= 0:
        return metal
    # [slices H W] labels; neighbors are those of the same slice only.
    within = np.zeros((3, 3, 3), bool)
    within[1] = True
    pieces, _ = ndimage.label(metal, within)
    large = np.bincount(pieces.ravel()) * pixel**2 >= area
    large[0] = False
    return np.asarray(large[pieces])


def complete(scan: Scan, fields: Iterable[str], pixel: float, threshold: float = METAL_HU) -> Scan:
    """The scan with those of `fields` filled in that are None and follow from the image.

    A sinogram is the image's re-projection, and `image` becomes its reconstruction, so that the
    two belong together as they do for a measured one. The trace is that of the metal as it is; a
    mask a pixel wider helps on some slices and hurts on others (benchmarks/reprojection.py).

    pixel: mm. threshold: HU. Raises `ValueError` for a field that nothing else tells.
    """
    fields = set(fields)
    if "metal" in fields and scan.metal is None:
        scan = replace(scan, metal=_metal(scan.image, pixel, threshold))
    if fields & {"sinogram", "trace"}:
        if (scanner := scan.scanner) is None:
            raise ValueError("a sinogram needs a scanner")
        if "sinogram" in fields and scan.sinogram is None:
            # The image becomes the reconstruction of that sinogram, as a measured one's does.
            sinogram = scanner.project(scan.image)
            scan = replace(scan, sinogram=sinogram, image=scanner.reconstruct(sinogram))
        if "trace" in fields and scan.trace is None:
            metal = _metal(scan.image, pixel, threshold) if scan.metal is None else scan.metal
            scan = replace(scan, trace=scanner.trace(metal))
    if missing := [name for name in sorted(fields) if getattr(scan, name) is None]:
        raise ValueError(f"{', '.join(missing)} cannot be derived from an image")
    return scan


def _metal(image: Tensor, pixel: float, threshold: float) -> Tensor:
    hu = mu_to_hu(image[:, 0]).cpu().numpy()
    masks = [metal_mask(one, pixel, threshold) for one in hu]
    return torch.from_numpy(np.stack(masks))[:, None].to(image.device)


def downsample(scan: Scan, factor: int) -> Scan:
    """The scan with blocks of `factor` x `factor` pixels averaged. Only its images are left: a
    sinogram belongs to the pixels it was measured on."""
    if factor == 1:
        return scan
    images = (scan.image, scan.clean, scan.other, scan.other_scanned)
    image, clean, other, scanned = (
        x if x is None else functional.avg_pool2d(x, factor) for x in images
    )
    assert image is not None
    return Scan(image=image, clean=clean, other=other, other_scanned=scanned)


def dilate(mask: Tensor, pixels: int) -> Tensor:
    """A mask and all within `pixels` steps along rows and columns: bool `[B 1 H W]`."""
    grown = mask.float()
    for _ in range(pixels):
        # A cross, not a square: the distance along rows plus that along columns.
        rows = functional.max_pool2d(grown, (3, 1), 1, (1, 0))
        grown = rows.maximum(functional.max_pool2d(grown, (1, 3), 1, (0, 1)))
    return grown > 0
