"""What the three networks of `prior_net.PriorNet` see: channels of HU and masks, near [-1, 1]."""

from itertools import pairwise

import torch
from torch import Tensor

SCALE_HU = 500.0
"""HU that the network sees as 1."""

RANGE_HU = (-1000.0, 3000.0)
"""HU, to which its inputs and its truth are clipped: from air to the densest bone."""

DIFFERENCE_HU = (300.0, 100.0)
"""The difference between NMAR and the slice is clipped to the first and seen in units of the
second: 10 HU of soft tissue matter beside streaks of 1000."""

METAL_HU = 2500.0
"""HU above which a pixel is marked for the network as too dense for tissue."""

CHANNELS = ("slice", "li", "nmar", "nmar - slice", "metal", "dense")
"""What the network sees."""


def network_inputs(hu: Tensor, metal: Tensor) -> Tensor:
    """`CHANNELS`, `[B 6 H W]` near [-1, 1].

    hu: the slice, LI and NMAR, `[B 3 H W]` in HU. metal: share of the pixel `[B 1 H W]`.
    """
    clipped = hu.clamp(*RANGE_HU)
    most, unit = DIFFERENCE_HU
    change = (clipped[:, 2:] - clipped[:, :1]).clamp(-most, most) / unit
    dense = (clipped[:, :1] > METAL_HU).to(hu)
    return torch.cat([clipped / SCALE_HU, change, metal.to(hu), dense], 1)


REFINER_CHANNELS = (
    "slice", "completed", "prior", "completed - slice", "prior - completed", "metal", "dense",
)  # fmt: skip
"""What the refiner sees."""


def refiner_inputs(hu: Tensor, metal: Tensor) -> Tensor:
    """`REFINER_CHANNELS`, `[B 7 H W]`.

    hu: the slice, the completed one and the prior, `[B 3 H W]` in HU. metal: share of the pixel
    `[B 1 H W]`.
    """
    slice_, completed, prior = hu.clamp(*RANGE_HU).split(1, 1)
    most, unit = DIFFERENCE_HU
    changes = [(b - a).clamp(-most, most) / unit for a, b in pairwise((slice_, completed, prior))]
    dense = (slice_ > METAL_HU).to(hu)
    images = [image / SCALE_HU for image in (slice_, completed, prior)]
    return torch.cat([*images, *changes, metal.to(hu), dense], 1)


def segmenter_inputs(hu: Tensor) -> Tensor:
    """What tells metal from what is as dense, `[B 4 H W]` of HU `[B 1 H W]`: the range of tissue,
    that of metal, the end of the number scale, and the threshold."""
    top = hu == hu.amax((1, 2, 3), keepdim=True)
    # Three or more pixels at the slice's maximum: the scale ends below the metal.
    saturated = top & (top.sum((1, 2, 3), keepdim=True) >= 3)
    tissue, metal = hu.clamp(-1000, 3000) / 1000, hu.clamp(0, 12_000) / 4000
    return torch.cat([tissue, metal, saturated.to(hu), (hu > METAL_HU).to(hu)], 1)
