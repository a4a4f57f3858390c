"""What the three networks of `prior_net.PriorNet` see: channels of HU and masks, near [-1, 1]."""

import torch
from torch import Tensor

SCALE_HU = 500.0
"""HU that the network sees as 1."""

RANGE_HU = (-1000.0, 3000.0)
"""HU, to which its inputs and its truth are clipped: from air to the densest bone."""

DIFFERENCE_HU = (300.0, 100.0)
"""Differences of images are clipped to the first and seen in units of the second: 10 HU of soft
tissue matter beside streaks of 1000."""

METAL_HU = 2500.0
"""HU above which a pixel is marked for the network as too dense for tissue."""

CHANNELS = (
    "slice", "li", "nmar", "fitted", "nmar - slice", "fitted - slice", "metal", "dense",
)  # fmt: skip
"""What the generator sees."""


def generator_inputs(hu: Tensor, metal: Tensor) -> Tensor:
    """`CHANNELS`, `[B 8 H W]` near [-1, 1].

    hu: the slice, LI, NMAR and the fitted image, `[B 4 H W]` in HU. metal: share of the pixel
    `[B 1 H W]`.
    """
    images = hu.clamp(*RANGE_HU)
    slice_, _, nmar, fitted = images.split(1, 1)
    changes = [difference(nmar, slice_), difference(fitted, slice_)]
    return torch.cat([images / SCALE_HU, *changes, metal.to(hu), dense(slice_)], 1)


REFINER_CHANNELS = (
    "slice", "completed", "fitted", "prior", "completed - slice", "fitted - slice",
    "prior - completed", "metal", "dense",
)  # fmt: skip
"""What the refiner sees."""


def refiner_inputs(hu: Tensor, metal: Tensor) -> Tensor:
    """`REFINER_CHANNELS`, `[B 9 H W]`.

    hu: the slice, the completed one, the fitted one and the prior, `[B 4 H W]` in HU. metal: share
    of the pixel `[B 1 H W]`.
    """
    images = hu.clamp(*RANGE_HU)
    slice_, completed, fitted, prior = images.split(1, 1)
    changes = [
        difference(completed, slice_), difference(fitted, slice_), difference(prior, completed)
    ]  # fmt: skip
    return torch.cat([images / SCALE_HU, *changes, metal.to(hu), dense(slice_)], 1)


def difference(image: Tensor, other: Tensor) -> Tensor:
    """Of two images in HU, clipped and scaled by `DIFFERENCE_HU`."""
    most, unit = DIFFERENCE_HU
    return (image - other).clamp(-most, most) / unit


def dense(hu: Tensor) -> Tensor:
    """1 where a slice is too dense for tissue, else 0."""
    return (hu > METAL_HU).to(hu)


def segmenter_inputs(hu: Tensor) -> Tensor:
    """What tells metal from what is as dense, `[B 4 H W]` of HU `[B 1 H W]`: the range of tissue,
    that of metal, the end of the number scale, and the threshold."""
    top = hu == hu.amax((1, 2, 3), keepdim=True)
    # Three or more pixels at the slice's maximum: the scale ends below the metal.
    saturated = top & (top.sum((1, 2, 3), keepdim=True) >= 3)
    tissue, metal = hu.clamp(-1000, 3000) / 1000, hu.clamp(0, 12_000) / 4000
    return torch.cat([tissue, metal, saturated.to(hu), dense(hu)], 1)
