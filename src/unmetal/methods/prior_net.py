"""PriorNet: NMAR with a learned prior image.

NMAR (Meyer et al., Med. Phys. 37, 2010) fills the metal trace from a prior image of three tissues,
which it segments from an image that still has artifacts. Here a network draws the prior, from the
slice, LI and NMAR, as CNNMAR's does (Zhang and Yu, IEEE TMI 37, 2018); unlike CNNMAR's it sees the
whole body at once and its soft tissue is not flattened. The trace is then filled as CNNMAR's:
rays that missed the metal keep what they measured, and join the prior's at the trace's edges.

Ours; no publication has exactly this. The weights in the package learned from
`recipes/prior_pairs.py`, whose simulation is broader than any one scanner or implant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.methods.method import Method, OptimizerStep
from unmetal.nets.residual_unet import ResidualUNet
from unmetal.physics.completion.images import from_prior, li_image
from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import nmar_prior, smooth
from unmetal.physics.derive import body_mask
from unmetal.physics.frames import crop_resize, frame_of, paste_back
from unmetal.scan import Scan
from unmetal.units import MU_WATER, mu_to_hu

SCALE_HU = 500.0
"""HU that the network sees as 1."""

OUTPUT_HU = 100.0
"""HU that the network draws as 1: it changes NMAR by less than the range of its inputs."""

RANGE_HU = (-1000.0, 3000.0)
"""HU, to which its inputs and its truth are clipped: from air to the densest bone."""

DIFFERENCE_HU = (300.0, 100.0)
"""The difference between NMAR and the slice is clipped to the first and seen in units of the
second: 10 HU of soft tissue matter beside streaks of 1000."""

METAL_HU = 2500.0
"""HU above which a pixel is marked for the network as too dense for tissue."""

SCALES = (1, 4, 16)
"""Side in pixels of the blocks whose means the loss compares: a line integral sums what is smooth
and loses what is not, and an organ's mean is what a reader would miss."""

OUTSIDE = 0.05
"""Weight of what lies outside the body, relative to the body's."""


@dataclass(frozen=True)
class Config:
    """The network and the frame that it sees."""

    width: int = 32
    """Channels at half the resolution of the network that draws the prior."""

    levels: int = 5
    """Its resolutions, each half of the one before."""

    segmenter_width: int = 20
    """Channels at half the resolution of the network that segments the metal."""

    size: int = 256
    """Side in pixels of the frame about the body."""


class PriorNet(Method):
    """A network draws the prior image that fills the metal trace; trained on pairs.

    A second, small one tells metal from what is only as dense: contrast, calcium, bright streaks.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})
    train_inputs: ClassVar[frozenset[str]] = inputs | {"clean"}

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.generator = ResidualUNet(len(CHANNELS), 1, config.width, config.levels)
        self.segmenter = ResidualUNet(4, 1, config.segmenter_width, 4)

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        return from_prior(scan, smooth(self.prior(scan)), additive)

    def confirm_metal(self, image: Tensor, candidates: Tensor) -> Tensor:
        """The candidates within 2 pixels of what the second network segments as metal.

        It takes candidates away and adds none: on slices with nothing but dense contrast, calcium
        and thin rings it leaves 2 % of what the threshold finds.
        """
        drawn = self.segmenter(segmenter_inputs(mu_to_hu(image)).float()) > 0
        # A square of 5 pixels: the threshold's edge and the network's differ by a pixel or two.
        return candidates & (F.max_pool2d(drawn.float(), 5, 1, 2) > 0)

    def prior(self, scan: Scan) -> Tensor:
        """The prior image, `[B 1 H W]` in 1/cm: NMAR's and what the network changes about it."""
        images, metal = corrections(scan), scan.metal
        assert scan.scanner is not None
        assert metal is not None
        priors = []
        for slice_, mask in zip(images, metal, strict=True):
            body = body_mask(mu_to_hu(slice_[0]).cpu().numpy(), scan.scanner.pixel)
            frame = frame_of(body)
            # [3 H W] and [1 H W] to [1 3 size size] and [1 1 size size]: the body fills the frame.
            small = torch.cat([crop_resize(x[None], frame, self.config.size) for x in slice_])
            inside = crop_resize(mask.to(small), frame, self.config.size)
            change = self.change(small[None], inside[None])
            priors.append(slice_[2:] + paste_back(change[0], frame, slice_[2:]))
        return torch.stack(priors)

    def change(self, images: Tensor, metal: Tensor) -> Tensor:
        """What the network adds to NMAR's image, `[B 1 H W]` in 1/cm.

        images: `[B 3 H W]`, 1/cm: the slice, LI and NMAR. metal: share of the pixel `[B 1 H W]`.
        """
        hu = mu_to_hu(images)
        drawn = self.generator(network_inputs(hu, metal).float()) * OUTPUT_HU
        # NMAR's image, cut to the range that the network knows, is what its output is added to.
        drawn = drawn + hu[:, 2:].clamp(*RANGE_HU) - hu[:, 2:]
        return (drawn * (MU_WATER / 1000)).to(images)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean absolute error at three scales, in units of `SCALE_HU`."""
        assert scan.metal is not None
        assert scan.clean is not None
        # Reconstructions in bfloat16 would lose digits that the network is to see.
        with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
            images = corrections(scan)
        prior = images[:, 2:] + self.change(images, scan.metal.to(images))
        error = mu_to_hu(prior) - mu_to_hu(scan.clean).clamp(*RANGE_HU)
        body = mu_to_hu(scan.clean) > -500
        yield "generator", multiscale_l1(error / SCALE_HU, body.to(error) + OUTSIDE)
        # Where nothing is dense there is nothing to tell apart: such pixels count little.
        hu = mu_to_hu(scan.image)
        logits, metal = self.segmenter(segmenter_inputs(hu).float()), scan.metal.to(torch.float32)
        weight = 0.03 + ((hu > 1200) | scan.metal).to(logits)
        entropy = F.binary_cross_entropy_with_logits(logits, metal, weight, reduction="sum")
        overlap = 2 * (logits.sigmoid() * metal).sum() + 1
        dice = 1 - overlap / (logits.sigmoid().sum() + metal.sum() + 1)
        yield "segmenter", {"entropy": entropy / weight.sum(), "dice": 0.5 * dice}


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


def segmenter_inputs(hu: Tensor) -> Tensor:
    """What tells metal from what is as dense, `[B 4 H W]` of HU `[B 1 H W]`: the range of tissue,
    that of metal, the end of the number scale, and the threshold."""
    top = hu == hu.amax((1, 2, 3), keepdim=True)
    # Three or more pixels at the slice's maximum: the scale ends below the metal.
    saturated = top & (top.sum((1, 2, 3), keepdim=True) >= 3)
    tissue, metal = hu.clamp(-1000, 3000) / 1000, hu.clamp(0, 12_000) / 4000
    return torch.cat([tissue, metal, saturated.to(hu), (hu > METAL_HU).to(hu)], 1)


def corrections(scan: Scan) -> Tensor:
    """The slices, LI and NMAR, `[B 3 H W]` in 1/cm, not below air."""
    assert scan.metal is not None
    li = li_image(scan)
    # As `completion.images.nmar_image`, which would compute LI again.
    nmar = from_prior(scan, nmar_prior(li, scan.metal))
    return torch.cat([scan.image, li, nmar], 1).clamp_min(0)


def multiscale_l1(error: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Weighted mean absolute values of the means of an error over blocks of `SCALES`, by name;
    both `[B 1 H W]`."""
    losses = {}
    for side in SCALES:
        weights = F.avg_pool2d(weight, side)
        losses[f"l1_{side}"] = F.avg_pool2d(error * weight, side).abs().sum() / weights.sum()
    return losses
