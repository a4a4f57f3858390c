"""What the three networks of `prior_net.PriorNet` are trained by."""

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.methods.prior_inputs import SCALE_HU

ERROR_HU = 20.0
"""HU of an expected error of e^0."""

SCALES = (1, 4, 16)
"""Side in pixels of the blocks whose means the loss compares: a line integral sums what is smooth
and loses what is not, and an organ's mean is what a reader would miss."""

HARM_BLOCKS = (2, 4)
"""Sides in pixels of the blocks on which the refiner may not be worse than the slice."""

HARM_FROM_HU = 15.0
"""HU by which a block may be worse than the slice at no cost: where streaks cross zero the slice is
right by chance, and a refiner that may not touch that keeps the streaks."""

HARM = 8.0
"""Weight of what is worse than the slice, relative to any error."""

OUTSIDE = 0.05
"""Weight of what lies outside the body, relative to the body's."""


def segmentation_losses(logits: Tensor, hu: Tensor, metal: Tensor) -> dict[str, Tensor]:
    """Cross entropy and half of 1 - Dice, by name. logits, HU of the slice and bool or 0 and 1 of
    the metal, each `[B 1 H W]`."""
    # Sums over a slice have more digits than bfloat16.
    logits = logits.float()
    metal = metal.to(logits)
    # Where nothing is dense there is nothing to tell apart: such pixels count little.
    weight = 0.03 + ((hu > 1200) | (metal > 0)).to(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, metal, weight, reduction="sum")
    overlap = 2 * (logits.sigmoid() * metal).sum() + 1
    dice = 1 - overlap / (logits.sigmoid().sum() + metal.sum() + 1)
    return {"entropy": entropy / weight.sum(), "dice": 0.5 * dice}


def multiscale_l1(error: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Weighted mean absolute values of the means of an error over blocks of `SCALES`, by name;
    both `[B 1 H W]`."""
    losses = {}
    for side in SCALES:
        weights = F.avg_pool2d(weight, side)
        losses[f"l1_{side}"] = F.avg_pool2d(error * weight, side).abs().sum() / weights.sum()
    return losses


def refiner_losses(
    after: Tensor, before: Tensor, expected: Tensor, weight: Tensor
) -> dict[str, Tensor]:
    """The error at three scales, its square, what got worse, and how far the expected error is off.

    after, before: errors of the result and of the slice, in units of `SCALE_HU`. expected: absolute
    error in HU. weight: of each pixel. All `[B 1 H W]`.
    """
    # "First, do no harm": what exceeds the slice's own error counts again, on blocks of 2 and 4
    # pixels, where noise has gone and an organ's mean has not.
    harm = torch.zeros_like(after.sum())
    for side in HARM_BLOCKS:
        worse, was = (_block_means(x, weight, side).abs() for x in (after, before))
        harm = harm + F.relu(worse - was - HARM_FROM_HU / SCALE_HU).mean()
    # The likelihood of a Laplace distribution: least where the expectation is the mean.
    found = F.avg_pool2d(after.detach().abs(), 3, 1, 1) * SCALE_HU
    likelihood = ((found / expected + (expected / ERROR_HU).log()) * weight).sum() / weight.sum()
    return {
        **multiscale_l1(after, weight),
        # Metal's artifacts have a long tail, which a mean absolute error hardly sees.
        "square": (after**2 * weight).sum() / weight.sum(),
        "harm": HARM * harm,
        "expected": 0.02 * likelihood,
    }


def _block_means(error: Tensor, weight: Tensor, side: int) -> Tensor:
    """Weighted means over blocks: `[B 1 H W]` to `[B 1 H/side W/side]`."""
    return F.avg_pool2d(error * weight, side) / F.avg_pool2d(weight, side).clamp_min(1e-3)
