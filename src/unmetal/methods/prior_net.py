"""PriorNet: NMAR with a learned prior image, and with what rays through metal have measured.

NMAR (Meyer et al., Med. Phys. 37, 2010) fills the metal trace from a prior image of three tissues,
which it segments from an image that still has artifacts. Here a network draws the prior, from the
slice, LI and NMAR, as CNNMAR's does (Zhang and Yu, IEEE TMI 37, 2018); unlike CNNMAR's it sees the
whole body at once and its soft tissue is not flattened. The trace is then filled as CNNMAR's:
rays that missed the metal keep what they measured, and join the prior's at the trace's edges.
A second image keeps what the trace itself has measured, without what the metal added
(`physics.completion.metal_fit`), and a second network weighs the two against the slice.

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
    generator_inputs,
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
from unmetal.physics.completion.images import corrected, from_prior, li_image
from unmetal.physics.completion.metal_fit import MetalRays, completed_and_fitted
from unmetal.physics.completion.prior import nmar_prior
from unmetal.physics.derive import body_mask
from unmetal.physics.frames import Frame, crop_resize, frame_of, paste_back
from unmetal.scan import Scan
from unmetal.units import MU_WATER, mu_to_hu

OUTPUT_HU = 100.0
"""HU that the network draws as 1: it changes NMAR by less than the range of its inputs."""


CERTAIN_HU = 50.0
"""Mean change, above half of which `certainty` grows by 1 with each. Chosen on validation patients,
the held-back domain and real slices of patients to learn from (docs/priornet.md)."""


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
    bright streaks. A third, the refiner, sees the slice before and after the completion; it chooses
    place by place between the slice, the completed and the fitted one, takes off what artifact all
    of them have, and says how wrong the result may be.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})
    train_inputs: ClassVar[frozenset[str]] = inputs | {"clean"}

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.generator = ResidualUNet(len(CHANNELS), 1, config.width, config.levels)
        self.segmenter = ResidualUNet(4, 1, config.segmenter_width, 4, normalize=False)
        self.refiner = ResidualUNet(len(REFINER_CHANNELS), 5, config.width, config.levels)

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        return self.reduce_with_error(scan)[0]

    def reduce_with_error(self, scan: Scan) -> tuple[Tensor, Tensor]:
        """That, and the absolute error that the refiner expects of it, HU `[B 1 H W]`; 0 outside
        the frame."""
        metal, rays = scan.metal, MetalRays.of(scan)
        assert metal is not None
        seen = corrections(scan, rays)
        frames = [self.frame(slice_[0], scan) for slice_ in seen]
        prior = self.prior_of(seen, metal, frames)
        images = torch.cat([completions(scan, prior, rays), prior], 1)
        results, errors = [], []
        for slices, mask, frame in zip(images, metal, frames, strict=True):
            # [4 H W] to [1 4 size size]: the body fills the frame.
            refined = self.refine(
                self.in_frame(slices.clamp_min(0), frame), self.in_frame(mask.to(slices), frame)
            )
            # Back at the slice's own pixels; outside the frame, where there is no body, the
            # completed image stands.
            shares = paste_back(refined.shares[0, ::2], frame, slices)
            own, completed, fitted, _ = slices
            mixed = completed + shares[0] * (own - completed) + shares[1] * (fitted - completed)
            results.append(mixed + paste_back(refined.change[0], frame, slices))
            errors.append(paste_back(refined.error[0], frame, slices))
        return torch.stack(results), torch.stack(errors)

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

        images: of `corrections`, `[B 4 H W]` in 1/cm. metal: bool `[B 1 H W]`. frames: one for each
        slice.
        """
        priors = []
        for slice_, mask, frame in zip(images, metal, frames, strict=True):
            # [4 H W] and [1 H W] to [1 4 size size] and [1 1 size size]: the body fills the frame.
            seen, inside = self.in_frame(slice_, frame), self.in_frame(mask.to(slice_), frame)
            change = self.change(seen, inside)
            priors.append(slice_[2:3] + paste_back(change[0], frame, slice_))
        return torch.stack(priors)

    def change(self, images: Tensor, metal: Tensor) -> Tensor:
        """What the network adds to NMAR's image, `[B 1 H W]` in 1/cm.

        images: of `corrections`, `[B 4 H W]` in 1/cm. metal: share of the pixel `[B 1 H W]`.
        """
        drawn = self.generator(generator_inputs(mu_to_hu(images), metal).float())
        return (drawn * (OUTPUT_HU * MU_WATER / 1000)).to(images)

    def refine(self, images: Tensor, metal: Tensor) -> "Refinement":
        """What the refiner makes of the slice, the completed one, the fitted one and the prior.

        images: these, `[B 4 H W]` in 1/cm. metal: share of the pixel `[B 1 H W]`.
        """
        drawn = self.refiner(refiner_inputs(mu_to_hu(images), metal).float())
        shares, change, log_error = drawn.split((3, 1, 1), 1)
        own, others = shares.split((1, 2), 1)
        shares = torch.cat([own - certainty(mu_to_hu(images)), others], 1)
        change = (change * (OUTPUT_HU * MU_WATER / 1000)).to(images)
        return Refinement(shares.softmax(1).to(images), change, ERROR_HU * log_error.exp())

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean absolute error at three scales, in units of `SCALE_HU`."""
        assert scan.metal is not None
        assert scan.clean is not None
        # Reconstructions in bfloat16 would lose digits that the network is to see.
        with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
            rays = MetalRays.of(scan)
            images = corrections(scan, rays)
        prior = images[:, 2:3] + self.change(images, scan.metal.to(images))
        error = mu_to_hu(prior).clamp(*RANGE_HU) - mu_to_hu(scan.clean).clamp(*RANGE_HU)
        body = mu_to_hu(scan.clean) > -500
        yield "generator", multiscale_l1(error / SCALE_HU, body.to(error) + OUTSIDE)
        hu = mu_to_hu(scan.image)
        logits = self.segmenter(segmenter_inputs(hu).float())
        yield "segmenter", segmentation_losses(logits, hu, scan.metal)
        # The refiner learns on what the prior that was just drawn leaves behind.
        with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
            seen = torch.cat([completions(scan, prior, rays), prior], 1).clamp_min(0)
        refined = self.refine(seen, scan.metal.to(images))
        truth = mu_to_hu(scan.clean).clamp(*RANGE_HU)
        after = (mu_to_hu(refined.image(seen)) - truth) / SCALE_HU
        before = (hu.clamp(*RANGE_HU) - truth) / SCALE_HU
        yield "refiner", refiner_losses(after, before, refined.error, body.to(error) + OUTSIDE)


@dataclass(frozen=True)
class Refinement:
    """What the refiner says of slices."""

    shares: Tensor
    """`[B 3 H W]`, their sum 1: of the slice, the completed and the fitted one in the result."""

    change: Tensor
    """`[B 1 H W]`, 1/cm: what is added to that."""

    error: Tensor
    """`[B 1 H W]`, HU: the absolute error that it expects of the result."""

    def image(self, images: Tensor) -> Tensor:
        """The result `[B 1 H W]` of the images that were refined, 1/cm."""
        return (self.shares * images[:, :3]).sum(1, keepdim=True) + self.change


def certainty(hu: Tensor) -> Tensor:
    """How sure an artifact is, by how much the completion changes the slice: what is taken from the
    slice's logit, `[B 1 H W]`.

    Networks that learned to do no harm keep too much of artifacts that are stronger than those that
    they learned from. hu: of the slice, the completed one and others, `[B n H W]`.
    """
    slice_, completed = hu.clamp(*RANGE_HU)[:, :2].split(1, 1)
    # The mean over 9 x 9 pixels, as streaks change sign from pixel to pixel.
    size = F.avg_pool2d((completed - slice_).abs(), 9, 1, 4, count_include_pad=False)
    return (size / CERTAIN_HU - 0.5).clamp(0, 4)


def corrections(scan: Scan, rays: MetalRays) -> Tensor:
    """The slices, LI, NMAR and NMAR's fitted image, `[B 4 H W]` in 1/cm, not below air."""
    assert scan.metal is not None
    li = li_image(scan)
    # As `completion.images.nmar_image`, which would compute LI again.
    nmar = from_prior(scan, nmar_prior(li, scan.metal))
    fitted = completions(scan, nmar, rays)[:, 2:]
    return torch.cat([scan.image, li, nmar, fitted], 1).clamp_min(0)


def completions(scan: Scan, prior: Tensor, rays: MetalRays) -> Tensor:
    """The slices, completed and fitted ones of a prior image, `[B 3 H W]` in 1/cm."""
    sinograms = completed_and_fitted(scan, prior, rays)
    return torch.cat([scan.image, *(corrected(scan, sinogram) for sinogram in sinograms)], 1)
