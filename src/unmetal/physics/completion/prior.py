"""Prior images of NMAR and CNNMAR: pixels segmented into air, water and bone by k-means."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from unmetal.units import MU_WATER


def boundaries(values: Tensor, start: tuple[float, ...], rounds: int = 500) -> Tensor:
    """Where the clusters of 1-D k-means meet: `[B N]` -> float64 `[B K-1]`, same unit.

    Lloyd's algorithm from the `start` centers (ascending, K of them) until nothing moves. Values
    are sorted first, so their order does not matter, and a cluster is the difference of two
    cumulative sums. A cluster that is empty keeps its center.
    """
    values = values.to(torch.float64).sort(-1).values
    batch, count = values.shape
    # sums[i] is the sum of the i smallest values, so that a cluster's sum is a difference.
    sums = functional.pad(values.cumsum(-1), (1, 0))
    centers = values.new_tensor(start).repeat(batch, 1)
    for _ in range(rounds):
        between = (centers[:, 1:] + centers[:, :-1]) / 2
        # Where each cluster begins in the sorted values, with 0 and N at the ends: `[B K+1]`.
        cuts = functional.pad(torch.searchsorted(values, between), (1, 0))
        cuts = functional.pad(cuts, (0, 1), value=count)
        members = cuts.diff()
        means = sums.gather(-1, cuts).diff() / members.clamp_min(1)
        moved = torch.where(members > 0, means, centers)
        if torch.equal(moved, centers):
            break
        centers = moved
    return (centers[:, 1:] + centers[:, :-1]) / 2


def smooth(image: Tensor) -> Tensor:
    """`[B 1 H W]` after a 5x5 Gaussian of one pixel, edges replicated; any unit."""
    # The 5 x 5 kernel is the outer product of its row with itself.
    x = torch.arange(-2, 3, dtype=image.dtype, device=image.device)
    weights = torch.exp(-(x**2) / 2)
    weights = weights / weights.sum()
    padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(padded, (weights[:, None] * weights)[None, None])


def thresholds(
    tissue: Tensor, start: tuple[float, float, float], least: float
) -> tuple[Tensor, Tensor]:
    """Where air ends and where bone begins, `[B 1 1 1]` each; `[B 1 H W]` and all else in 1/cm.

    They are where the clusters of `boundaries` meet, and bone begins at `least` or above. In the
    code released with CNNMAR a threshold is the smallest member of the upper cluster instead,
    which in a noiseless image is the tissue itself.
    """
    cuts = boundaries(tissue.flatten(1), start).to(tissue.dtype)
    air, bone = (cuts[:, i, None, None, None] for i in range(2))
    return air, bone.clamp_min(least)


def nmar_prior(image: Tensor, metal: Tensor, water: float = MU_WATER) -> Tensor:
    """NMAR's prior image: air 0, soft tissue `water`, bone as it is (smoothed); all 1/cm.

    The thresholds are those of three clusters that start at 0, `water` and 2 `water`, that of bone
    at least 1.2 `water` (200 HU). Lungs become air. Source: Meyer et al., Med. Phys. 37 (2010), as
    released with CNNMAR, but for one thing: see `thresholds`.

    image: `[B 1 H W]`, 1/cm. metal: bool `[B 1 H W]`, taken as water.
    """
    tissue = torch.where(metal, water, image)
    air, bone = thresholds(tissue, (0.0, water, 2 * water), least=1.2 * water)
    tissue = smooth(tissue)
    prior = torch.where(tissue < bone, water, tissue)
    return torch.where(tissue <= air, 0, prior)


def cnnmar_prior(image: Tensor, metal: Tensor, water: float = MU_WATER, ramp: int = 5) -> Tensor:
    """CNNMAR's prior image: soft tissue at its mean, air, lungs and bone as they are; all 1/cm.

    Soft tissue counts by its depth, in full from `ramp` pixels off air and bone, so that there is
    no step between its mean and what surrounds it. Clusters start at -900, 0 and 1000 HU, and bone
    is above 350 HU. Metal, and a pixel about it, takes the prior of the nearest pixel outside.
    Source: Zhang and Yu, IEEE TMI 37 (2018) and their released code (cnnPrior.m; the ramp of 5
    pixels is for 512 x 512 of 0.8 mm), but for one thing: see `thresholds`.

    image: `[B 1 H W]`, 1/cm, of whatever corrected it. metal: bool `[B 1 H W]`.
    """
    tissue = torch.where(metal, water, image)
    air, bone = thresholds(tissue, (0.1 * water, water, 2 * water), least=1.35 * water)
    # 0 outside soft tissue, rising to 1 at `ramp` pixels inside: a mean without edges.
    weight = depth((tissue > air) & (tissue <= bone), ramp).to(image) / ramp
    total = weight.sum((1, 2, 3), keepdim=True).clamp_min(1e-6)
    mean = (weight * tissue).sum((1, 2, 3), keepdim=True) / total
    # Metal and its 8 neighbors: blur around metal is no tissue.
    hole = functional.max_pool2d(metal.to(image), 3, 1, 1) > 0
    return nearest(torch.lerp(tissue, mean.expand_as(tissue), weight), hole)


def depth(mask: Tensor, reach: int) -> Tensor:
    """Distance in pixels to the nearest pixel outside a mask, at most `reach`: bool `[B 1 H W]` to
    float32 of that shape. Beyond the image's edge nothing counts as outside."""
    steps = torch.arange(-reach, reach + 1, device=mask.device) ** 2
    squared = torch.where(mask, reach**2, 0)
    # Euclid's distance is that along the row, squared, plus that along the column, squared.
    for axis, padding in ((-1, (reach, reach)), (-2, (0, 0, reach, reach))):
        around = functional.pad(squared, padding, value=reach**2)
        squared = (around.unfold(axis, len(steps), 1) + steps).amin(-1)
    return squared.float().sqrt()


def nearest(image: Tensor, hole: Tensor) -> Tensor:
    """The image with each pixel of a hole as the nearest pixel outside of it, any unit.

    A slice that is nothing but hole comes back as it was. image: `[B 1 H W]`. hole: bool, the same.
    """
    width = image.shape[-1]
    sources = []
    for one in hole[:, 0].cpu().numpy():
        row, column = ndimage.distance_transform_edt(
            one & ~one.all(), return_distances=False, return_indices=True
        )
        sources.append(torch.from_numpy(row.astype(np.int64) * width + column).flatten())
    source = torch.stack(sources)[:, None].to(image.device)
    return image.flatten(2).gather(-1, source).view_as(image)
