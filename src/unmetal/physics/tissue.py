"""Sorting the pixels of an image into air, water and bone, for a prior without artifacts."""

import torch
from torch import Tensor
from torch.nn import functional

from unmetal.units import MU_WATER


def boundaries(values: Tensor, start: tuple[float, ...], rounds: int = 500) -> Tensor:
    """Where the clusters of 1-D k-means meet: `[B N]` -> float64 `[B K-1]`, same unit.

    Lloyd's algorithm from the `start` centres (ascending, K of them) until nothing moves. Values
    are sorted first, so their order does not matter, and a cluster is the difference of two
    cumulative sums. A cluster that is empty keeps its centre.
    """
    values = values.to(torch.float64).sort(-1).values
    batch, count = values.shape
    sums = functional.pad(values.cumsum(-1), (1, 0))
    centres = values.new_tensor(start).repeat(batch, 1)
    for _ in range(rounds):
        between = (centres[:, 1:] + centres[:, :-1]) / 2
        cuts = functional.pad(torch.searchsorted(values, between), (1, 0))
        cuts = functional.pad(cuts, (0, 1), value=count)
        members = cuts.diff()
        means = sums.gather(-1, cuts).diff() / members.clamp_min(1)
        moved = torch.where(members > 0, means, centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return (centres[:, 1:] + centres[:, :-1]) / 2


def smooth(image: Tensor) -> Tensor:
    """`[B 1 H W]` after a 5x5 Gaussian of one pixel, edges replicated; any unit."""
    x = torch.arange(-2, 3, dtype=image.dtype, device=image.device)
    weights = torch.exp(-(x**2) / 2)
    weights = weights / weights.sum()
    padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
    return functional.conv2d(padded, (weights[:, None] * weights)[None, None])


def nmar_prior(image: Tensor, metal: Tensor, water: float = MU_WATER) -> Tensor:
    """NMAR's prior image: air 0, soft tissue `water`, bone as it is (smoothed); all 1/cm.

    The thresholds are those of three clusters that start at 0, `water` and 2 `water`, that of bone
    at least 1.2 `water` (200 HU). Lungs become air. Source: Meyer et al., Med. Phys. 37 (2010), as
    released with CNNMAR, but for one thing: a threshold is where two clusters meet, not the
    smallest member of the upper one, which in a noiseless image is the tissue itself.

    image: `[B 1 H W]`, 1/cm. metal: bool `[B 1 H W]`, taken as water.
    """
    tissue = torch.where(metal, water, image)
    cuts = boundaries(tissue.flatten(1), (0.0, water, 2 * water)).to(image.dtype)
    air, bone = (cuts[:, i, None, None, None] for i in range(2))
    tissue = smooth(tissue)
    prior = torch.where(tissue < bone.clamp_min(1.2 * water), water, tissue)
    return torch.where(tissue <= air, 0, prior)
