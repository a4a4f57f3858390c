"""What follows from an image alone: the body, the metal, the sinogram and the metal's trace."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from unmetal.scan import Scan
from unmetal.units import mu_to_hu

METAL_HU = 2500.0
"""HU above which a pixel is metal. Source: the paper's rule for clinical images. It lies below
3071 HU, where 12-bit scanners saturate, so a plateau there is metal too."""


def body_mask(hu: np.ndarray, pixel: float) -> np.ndarray:
    """bool `[H W]`: the patient, without table, leads and wires. HU `[H W]`, pixels of `pixel` mm.

    Everything above -400 HU that is wider than a centimetre, in pieces of at least a tenth of the
    largest one, with the holes filled (lungs, bowel, dark bands between metals).
    """
    radius = max(1, round(5.0 / pixel))
    dense = ndimage.binary_fill_holes(hu > -400)
    # Opening with a disc, by distance: the same, and fast for any radius.
    core = ndimage.distance_transform_edt(np.pad(dense, 1))[1:-1, 1:-1] > radius
    opened = ndimage.distance_transform_edt(~core) <= radius if core.any() else core
    pieces, count = ndimage.label(opened & dense)
    if count == 0:
        return np.zeros(hu.shape, dtype=bool)
    areas = np.bincount(pieces.ravel())[1:]
    keep = 1 + np.flatnonzero(areas >= areas.max() / 10)
    return ndimage.binary_fill_holes(np.isin(pieces, keep))


def metal_mask(hu: np.ndarray, pixel: float, threshold: float = METAL_HU) -> np.ndarray:
    """bool `[H W]`: metal inside the body. HU `[H W]`, pixels of `pixel` mm.

    A connected piece counts when it exceeds `threshold` somewhere and lies in the body for the
    most part. Its edge is where it falls to `EDGE` of its own peak, as a blurred edge does.
    """
    seeds = hu > threshold
    if not seeds.any():
        return np.zeros(hu.shape, dtype=bool)
    low = GROW * threshold
    pieces, _ = ndimage.label(hu > low, np.ones((3, 3)))
    names = np.unique(pieces[seeds])
    body = body_mask(hu, pixel)
    inside = ndimage.mean(body, pieces, names)
    peak = ndimage.maximum(hu, pieces, names)
    edge = np.zeros(pieces.max() + 1)
    edge[names] = np.maximum(EDGE * peak, low)
    edge[names[inside < 0.5]] = np.inf
    return (pieces > 0) & (edge[pieces] > 0) & (hu > edge[pieces])


EDGE = 0.3
GROW = 0.8


def complete(scan: Scan, fields: Iterable[str], pixel: float, threshold: float = METAL_HU) -> Scan:
    """The scan with those of `fields` filled in that are None and follow from the image.

    A sinogram is the image's re-projection, and `image` becomes its reconstruction, so that the
    two belong together as they do for a measured one. The trace of a mask that came with the
    image is one pixel wider than the mask: what blurred the metal's edge blurred it into there.

    pixel: mm. threshold: HU. Raises `ValueError` for a field that nothing else tells.
    """
    fields = set(fields)
    if "metal" in fields and scan.metal is None:
        scan = replace(scan, metal=_metal(scan.image, pixel, threshold))
    if fields & {"sinogram", "trace"} and scan.scanner is None:
        raise ValueError("a sinogram needs a scanner")
    if "sinogram" in fields and scan.sinogram is None:
        assert scan.scanner is not None
        sinogram = scan.scanner.project(scan.image)
        scan = replace(scan, sinogram=sinogram, image=scan.scanner.reconstruct(sinogram))
    if "trace" in fields and scan.trace is None:
        assert scan.scanner is not None
        metal = _metal(scan.image, pixel, threshold) if scan.metal is None else scan.metal
        scan = replace(scan, trace=scan.scanner.trace(wider(metal)))
    if missing := [name for name in sorted(fields) if getattr(scan, name) is None]:
        raise ValueError(f"{', '.join(missing)} cannot be derived from an image")
    return scan


def _metal(image: Tensor, pixel: float, threshold: float) -> Tensor:
    hu = mu_to_hu(image[:, 0]).cpu().numpy()
    masks = [metal_mask(one, pixel, threshold) for one in hu]
    return torch.from_numpy(np.stack(masks))[:, None].to(image.device)


def wider(mask: Tensor) -> Tensor:
    """A mask and its neighbours, corners included: bool `[B 1 H W]`."""
    return F.max_pool2d(mask.to(torch.float32), 3, 1, 1) > 0
