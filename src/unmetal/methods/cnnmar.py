"""CNNMAR: Zhang and Yu, "Convolutional neural network based metal artifact reduction".

IEEE TMI 37 (2018), and the authors' released code. A small network makes one image of three, the
uncorrected one and those of BHC and LI. With its soft tissue smoothed to one value, it is the prior
whose sinogram replaces the metal trace, joined to the measured rays beside it.

As published it learns 64 x 64 patches in 1/cm, with plain SGD, for 2,000 epochs of 8,000 patches:
`Config(scale=1.0, patches=16)` with SGD of rate 0.02 and momentum 0.9. Squared errors in 1/cm are
so small (1e-4) that a short run hardly moves; by default it therefore learns whole slices, divided
by 0.5/cm, which is meant for Adam with a rate of 1e-3. One thing differs in either case: values
below air are clipped in training too, while the released code does so at test time only, which
shows the network inputs it was not trained on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from unmetal.methods.method import Method, OptimizerStep
from unmetal.methods.patches import crop, hard_negative_corners
from unmetal.nets.plain import Fusion
from unmetal.physics.completion.images import bhc_image, from_prior, li_image
from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import cnnmar_prior
from unmetal.physics.derive import dilate
from unmetal.scan import Scan
from unmetal.units import MU_WATER


@dataclass(frozen=True)
class Config:
    """The network, its training patches, and the prior made of its image."""

    width: int = 32
    """Channels of its hidden layers."""

    depth: int = 5
    """Number of convolutions."""

    scale: float = 0.5
    """Attenuation in 1/cm that the network sees as 1; the paper's is 1."""

    patches: int = 0
    """Patches of each slice, most of them where the inputs are wrong; 0 takes the whole slice."""

    side: int = 64
    """Side of a patch in pixels."""

    ramp: int = 5
    """Pixels from bone and air over which the prior blends into the mean of soft tissue."""

    report: Literal["completed", "network"] = "completed"
    """What `reduce` returns: the completed sinogram's reconstruction, or the network's image."""


class CNNMAR(Method):
    """A network fuses three images of a slice into the prior that completes its sinogram."""

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})
    train_inputs: ClassVar[frozenset[str]] = inputs | {"clean"}

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.generator = Fusion(config.width, config.depth)

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        assert scan.metal is not None
        image = self.estimate(scan)
        if self.config.report == "network":
            return image
        # Soft tissue becomes its mean, metal is filled; its projection completes the sinogram.
        prior = cnnmar_prior(image, scan.metal, ramp=self.config.ramp)
        return from_prior(scan, prior, additive)

    def estimate(self, scan: Scan) -> Tensor:
        """The network's image, `[B 1 H W]` in 1/cm.

        As in the released code the mask is a pixel wider here than in training.
        """
        assert scan.metal is not None
        inputs, scale = corrections(scan, dilate(scan.metal, 1)), self.config.scale
        return (self.generator(inputs / scale) * scale).to(scan.image)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean squared error, with metal set to water in input and truth."""
        assert scan.metal is not None
        assert scan.clean is not None
        scale = self.config.scale
        # [B 3 H W] and [B 1 H W]; under the metal both are water, so it costs nothing.
        inputs = corrections(scan, scan.metal) / scale
        truth = torch.where(scan.metal, MU_WATER, scan.clean).float() / scale
        if self.config.patches:
            inputs, truth = self.patches(inputs, truth)
        yield "generator", {"mse": functional.mse_loss(self.generator(inputs), truth)}

    def patches(self, inputs: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Patches of `[B 3 H W]` and `[B 1 H W]`, rotated by 90 degrees every other time."""
        quarters = int(torch.randint(2, ()))
        inputs, truth = inputs.rot90(quarters, (2, 3)), truth.rot90(quarters, (2, 3))
        side = min(self.config.side, *truth.shape[-2:])
        corners = hard_negative_corners(inputs - truth, self.config.patches, side)
        return crop(inputs, corners, side), crop(truth, corners, side)


def corrections(scan: Scan, metal: Tensor) -> Tensor:
    """The slices uncorrected, after BHC and after LI, `[B 3 H W]` in 1/cm: water where `metal`,
    clipped at air."""
    # Reconstructions in bfloat16 would lose digits that the network is to see.
    with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
        images = torch.cat([scan.image, bhc_image(scan), li_image(scan)], dim=1)
    return torch.where(metal, MU_WATER, images).clamp_min(0).float()
