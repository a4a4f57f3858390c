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
from unmetal.methods.prior_inputs import (
    CHANNELS,
    RANGE_HU,
    REFINER_CHANNELS,
    SCALE_HU,
    network_inputs,
    refiner_inputs,
    segmenter_inputs,
)
from unmetal.methods.prior_losses import (
    ERROR_HU,
    OUTSIDE,
    multiscale_l1,
    refiner_losses,
    segmentation_losses,
)
from unmetal.nets.residual_unet import ResidualUNet
from unmetal.physics.completion.images import from_prior, li_image
from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import nmar_prior, smooth
from unmetal.physics.derive import body_mask
from unmetal.physics.frames import Frame, crop_resize, frame_of, paste_back
from unmetal.scan import Scan
from unmetal.units import MU_WATER, mu_to_hu

OUTPUT_HU = 100.0
"""HU that the network draws as 1: it changes NMAR by less than the range of its inputs."""

DOUBT = 0.1
"""Weight of the squared expected error in `trust`. Chosen on validation patients and the held-back
domain: larger ones harm less and leave more (docs/priornet.md has the curve)."""


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

    A second, small one, the segmenter, tells metal from what is only as dense: contrast, calcium,
    bright streaks. A third, the refiner, sees the slice before and after the completion; it takes
    back what the completion spoiled, removes what it left, and says how wrong the result may be.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})
    train_inputs: ClassVar[frozenset[str]] = inputs | {"clean"}

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.generator = ResidualUNet(len(CHANNELS), 1, config.width, config.levels)
        self.segmenter = ResidualUNet(4, 1, config.segmenter_width, 4, normalize=False)
        self.refiner = ResidualUNet(len(REFINER_CHANNELS), 2, config.width, config.levels)

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        images, metal = corrections(scan), scan.metal
        assert metal is not None
        results = []
        frames = [self.frame(slice_[0], scan) for slice_ in images]
        prior = self.prior_of(images, metal, frames)
        completed = from_prior(scan, smooth(prior), additive)
        for image, mask, drawn, done, frame in zip(
            scan.image, metal, prior, completed, frames, strict=True
        ):
            # [1 H W] each to [1 3 size size]: the slice, the completed one and the prior.
            seen = self.in_frame(torch.cat([image, done, drawn]).clamp_min(0), frame)
            change, error = self.refinement(seen, self.in_frame(mask.to(image), frame))
            weight = trust(mu_to_hu(seen[:, 1:2] + change) - mu_to_hu(seen[:, :1]), error)
            refined = done + paste_back(change[0], frame, done)
            # Outside the frame, where there is no body, the completed image stands.
            weight = 1 + paste_back(weight[0] - 1, frame, done)
            results.append(image + weight * (refined - image))
        return torch.stack(results)

    def frame(self, image: Tensor, scan: Scan) -> Frame:
        """The frame about the body of one slice of the scan, `[H W]` in 1/cm."""
        assert scan.scanner is not None
        return frame_of(body_mask(mu_to_hu(image).cpu().numpy(), scan.scanner.pixel))

    def in_frame(self, images: Tensor, frame: Frame) -> Tensor:
        """Images of one slice `[n H W]`, in a frame: `[1 n size size]`."""
        size = self.config.size
        return torch.cat([crop_resize(image[None], frame, size) for image in images])[None]

    def segment_metal(self, image: Tensor) -> Tensor:
        """Pixels within 2 of what the segmenter takes for metal, bool `[B 1 H W]`."""
        drawn = self.segmenter(segmenter_inputs(mu_to_hu(image)).float()) > 0
        # A square of 5 pixels: the threshold's edge and the network's differ by a pixel or two.
        return F.max_pool2d(drawn.float(), 5, 1, 2) > 0

    def prior_of(self, images: Tensor, metal: Tensor, frames: list[Frame]) -> Tensor:
        """The prior image, `[B 1 H W]` in 1/cm: NMAR's and what the network changes about it.

        images: the slices, LI and NMAR, `[B 3 H W]` in 1/cm. metal: bool `[B 1 H W]`. frames: one
        for each slice.
        """
        priors = []
        for slice_, mask, frame in zip(images, metal, frames, strict=True):
            # [3 H W] and [1 H W] to [1 3 size size] and [1 1 size size]: the body fills the frame.
            seen, inside = self.in_frame(slice_, frame), self.in_frame(mask.to(slice_), frame)
            change = self.change(seen, inside)
            priors.append(slice_[2:] + paste_back(change[0], frame, slice_[2:]))
        return torch.stack(priors)

    def change(self, images: Tensor, metal: Tensor) -> Tensor:
        """What the network adds to NMAR's image, `[B 1 H W]` in 1/cm.

        images: `[B 3 H W]`, 1/cm: the slice, LI and NMAR. metal: share of the pixel `[B 1 H W]`.
        """
        drawn = self.generator(network_inputs(mu_to_hu(images), metal).float())
        return (drawn * (OUTPUT_HU * MU_WATER / 1000)).to(images)

    def refinement(self, images: Tensor, metal: Tensor) -> tuple[Tensor, Tensor]:
        """What the refiner adds to the completed image, `[B 1 H W]` in 1/cm, and the absolute error
        that it expects of the sum, in HU.

        images: `[B 3 H W]`, 1/cm: the slice, the completed one and the prior. metal: share of the
        pixel `[B 1 H W]`.
        """
        hu = mu_to_hu(images)
        drawn, log_error = self.refiner(refiner_inputs(hu, metal).float()).split(1, 1)
        return (drawn * (OUTPUT_HU * MU_WATER / 1000)).to(images), ERROR_HU * log_error.exp()

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean absolute error at three scales, in units of `SCALE_HU`."""
        assert scan.metal is not None
        assert scan.clean is not None
        # Reconstructions in bfloat16 would lose digits that the network is to see.
        with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
            images = corrections(scan)
        prior = images[:, 2:] + self.change(images, scan.metal.to(images))
        error = mu_to_hu(prior).clamp(*RANGE_HU) - mu_to_hu(scan.clean).clamp(*RANGE_HU)
        body = mu_to_hu(scan.clean) > -500
        yield "generator", multiscale_l1(error / SCALE_HU, body.to(error) + OUTSIDE)
        hu = mu_to_hu(scan.image)
        logits = self.segmenter(segmenter_inputs(hu).float())
        yield "segmenter", segmentation_losses(logits, hu, scan.metal)
        # The refiner learns on what the prior that was just drawn leaves behind.
        with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
            completed = from_prior(scan, smooth(prior), additive)
            seen = torch.cat([images[:, :1], completed.clamp_min(0), prior], 1)
        change, expected = self.refinement(seen, scan.metal.to(images))
        truth = mu_to_hu(scan.clean).clamp(*RANGE_HU)
        after = (mu_to_hu(completed + change) - truth) / SCALE_HU
        before = (hu.clamp(*RANGE_HU) - truth) / SCALE_HU
        yield "refiner", refiner_losses(after, before, expected, body.to(error) + OUTSIDE)


def trust(change: Tensor, expected: Tensor) -> Tensor:
    """How much of a change to believe, 0 to 1: where it is smaller than the error expected of its
    result, little supports it, and most of the slice stays. Both HU `[B 1 H W]`.

    It is Wiener's weight c^2 / (c^2 + DOUBT e^2) of the mean absolute change c over 9 x 9 pixels
    and the expected error e.
    """
    size = F.avg_pool2d(change.abs(), 9, 1, 4, count_include_pad=False) ** 2
    return size / (size + DOUBT * expected**2).clamp_min(1e-6)


def corrections(scan: Scan) -> Tensor:
    """The slices, LI and NMAR, `[B 3 H W]` in 1/cm, not below air."""
    assert scan.metal is not None
    li = li_image(scan)
    # As `completion.images.nmar_image`, which would compute LI again.
    nmar = from_prior(scan, nmar_prior(li, scan.metal))
    return torch.cat([scan.image, li, nmar], 1).clamp_min(0)
