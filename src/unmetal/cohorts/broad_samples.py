"""Pairs simulated broader than reality, one by one: what `priornet` learns from.

Each has, or has not: objects that look like metal, painted before the scan or after it; implants;
a machine with settings of its own; the vendor's kernel; an end of the number scale. Domains:
`broad` to learn from; `flat` (grey blobs, a flat panel) to try what was learned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from unmetal.cohorts.pairs import Pair
from unmetal.physics.broad_machines import draw_broad, draw_flat
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.broad_hardware import choose_broad_hardware
from unmetal.physics.implants.broad_kinds import log_uniform, pick
from unmetal.physics.implants.broad_lookalikes import (
    choose_broad_lookalikes,
    paint_broad_lookalikes,
)
from unmetal.physics.implants.kinds import Anatomy
from unmetal.physics.protocol import Protocol
from unmetal.physics.simulate import simulate
from unmetal.units import hu_to_mu, mu_to_hu

Domain = Literal["broad", "flat"]

TOPS_HU = (3071.0, 3071.0, 8191.0, 15000.0, 32000.0)
"""Ends of the number scale, equally likely: that of 12 bits, and extended ones."""

TRUTH_HU = (-1024.0, 6000.0)
"""The truth's range, whatever the scale of the affected slice."""

METAL_SHARE = 0.05
"""Share of metal above which nothing is painted over a pixel."""

BLOB_METALS = ("ti", "fe", "cu", "cocr")


@dataclass(frozen=True)
class Piece:
    """One implant as pixels."""

    kind: str
    material: str
    share: Tensor
    """Share of each pixel that is metal, float32 `[H W]`."""


def draw_pair(
    hu: np.ndarray,
    pixel: float,
    rng: np.random.Generator,
    domain: Domain = "broad",
    blobs: np.ndarray | None = None,
    about: dict[str, Any] | None = None,
) -> Pair:
    """A pair made of a clean slice, HU float32 `[H W]` with pixels of `pixel` mm.

    blobs: bool `[M S S]`, the shapes of metal that `flat` needs. about: added to the pair's `info`.
    """
    broad = domain == "broad"
    # The order of the draws is what a seed means, here and below.
    noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
    body = body_mask(hu, pixel)
    if rng.random() < 0.5:
        # Before the scan: these harden the beam and have artifacts of their own.
        objects = choose_broad_lookalikes(body, pixel, rng, dense=False)
        hu, _ = paint_broad_lookalikes(hu, pixel, objects)
    empty = broad and rng.random() < 0.15
    pieces = [] if empty else choose_pieces(hu, pixel, rng, blobs if domain == "flat" else None)
    protocol = (draw_broad if broad else draw_flat)(rng, hu.shape, pixel)
    scans = scan(hu, pieces, protocol, noise)
    kernel = draw_kernel(rng, domain)
    scans = [apply_kernel(x, *kernel) for x in scans]
    painted = np.zeros(hu.shape, bool)
    if broad and (empty or rng.random() < 0.4):
        # After the scan: as dense as metal, and without any artifact.
        scans, painted = paint_after(scans, total_share(pieces, hu.shape), pixel, rng)
    top, bottom = float(rng.choice(TOPS_HU)), -1024 if rng.random() < 0.5 else -3000
    ranges = ((bottom, top), TRUTH_HU, TRUTH_HU)
    clipped = (x.clip(*limits) for x, limits in zip(scans, ranges, strict=True))
    image, truth, free = (np.round(x).astype(np.int16) for x in clipped)
    kinds, materials = [x.kind for x in pieces], sorted({x.material for x in pieces})
    info = {"kinds": kinds, "materials": materials, "top": top, **(about or {})}
    return Pair(
        image=image,
        truth=truth,
        free=free,
        share=np.round(255 * total_share(pieces, hu.shape).clip(0, 1)).astype(np.uint8),
        painted=painted,
        pixel=np.asarray(pixel, np.float32),
        info=info | protocol.settings(),
    )


def choose_pieces(
    hu: np.ndarray, pixel: float, rng: np.random.Generator, blobs: np.ndarray | None = None
) -> list[Piece]:
    """The implants of a slice, HU `[H W]`: of known kinds, or `blobs`, bool `[M S S]`."""
    if blobs is not None:
        return choose_blobs(hu, pixel, rng, blobs)
    chosen = choose_broad_hardware(hu, pixel, rng)
    return [Piece(x.kind, x.material, x.share(hu.shape[0], hu.shape[1], pixel)) for x in chosen]


def choose_blobs(
    hu: np.ndarray, pixel: float, rng: np.random.Generator, blobs: np.ndarray
) -> list[Piece]:
    """One to three of the shapes, 4 to 45 mm wide, anywhere in the body."""
    body = Anatomy(hu, pixel).body
    if not body.any():
        return []
    pieces = []
    for _ in range(int(rng.integers(1, 4))):
        shape = blobs[rng.integers(len(blobs))].astype(np.float32)
        side = max(3, round(log_uniform(rng, 4, 45) / pixel))
        # 0.4 of a new pixel before resampling, against stairs.
        smooth = ndimage.gaussian_filter(shape, 100 / 256 * len(shape) / side)
        small = ndimage.zoom(smooth, side / len(shape), order=1).clip(0, 1)
        top, left = (int(x) - side // 2 for x in pick(rng, body))
        # What reaches over the edge of the slice is cut off.
        share = np.pad(np.zeros(hu.shape, np.float32), side)
        share[top + side :, left + side :][: len(small), : len(small)] = small
        share = share[side:-side, side:-side].copy()
        pieces.append(Piece("blob", str(rng.choice(BLOB_METALS)), torch.from_numpy(share)))
    return pieces


def total_share(pieces: Sequence[Piece], shape: tuple[int, ...]) -> np.ndarray:
    """Share of each pixel that is metal, float32 `[H W]`; above 1 where two metals overlap."""
    return _by_material(pieces, shape)[1].sum(0).numpy()


def _by_material(pieces: Sequence[Piece], shape: tuple[int, ...]) -> tuple[list[str], Tensor]:
    """The materials and the share of each, `[M H W]`; of nothing, where there are no pieces."""
    materials = sorted({x.material for x in pieces}) or ["ti"]
    share = torch.zeros(len(materials), *shape)
    for piece in pieces:
        index = materials.index(piece.material)
        share[index] = torch.maximum(share[index], piece.share)
    return materials, share


def scan(
    hu: np.ndarray, pieces: Sequence[Piece], protocol: Protocol, noise: torch.Generator
) -> list[np.ndarray]:
    """The slice scanned with metal, without metal and noise, and without metal: HU `[H W]` each."""
    materials, share = _by_material(pieces, hu.shape)
    # Two metals in one pixel share it.
    share = share / share.sum(0, keepdim=True).clamp_min(1)
    with torch.inference_mode():
        clean = hu_to_mu(torch.from_numpy(hu))[None, None]
        done = simulate(clean, share[None], materials, protocol, noise)
        assert done.scan.clean is not None
        images = (done.scan.image, done.scan.clean, done.free_image)
        return [mu_to_hu(image)[0, 0].numpy() for image in images]


def draw_kernel(rng: np.random.Generator, domain: Domain) -> tuple[float, float]:
    """Sigma of a blur in pixels, and gain of an unsharp mask: in three of ten scans the second."""
    sharp = rng.random() < 0.3
    blur, gain = (0.0, rng.uniform(0.2, 1.2)) if sharp else (rng.uniform(0, 0.9), 0.0)
    # The flat panel has soft kernels only.
    return (rng.uniform(0, 0.7), 0.0) if domain == "flat" else (blur, gain)


def apply_kernel(hu: np.ndarray, blur: float, gain: float) -> np.ndarray:
    """HU `[H W]` as a vendor's soft or sharp kernel shows them."""
    if gain:
        return hu + gain * (hu - ndimage.gaussian_filter(hu, 1.0))
    # Less than a twentieth of a pixel is nothing.
    return ndimage.gaussian_filter(hu, blur) if blur > 0.05 else hu


def paint_after(
    scans: Sequence[np.ndarray], share: np.ndarray, pixel: float, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """The scans with what looks like metal added to all of them beside the metal, HU `[H W]`, and
    where, bool `[H W]`. scans: the second one is the truth, which says where the body is."""
    truth = scans[1]
    body, dense = body_mask(truth, pixel), bool(rng.random() < 0.6)
    objects = choose_broad_lookalikes(body, pixel, rng, dense)
    with_objects, painted = paint_broad_lookalikes(truth, pixel, objects)
    added = np.where(share > METAL_SHARE, 0, with_objects - truth)
    return [x + added for x in scans], painted & (share < METAL_SHARE)
