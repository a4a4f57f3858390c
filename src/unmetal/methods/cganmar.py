"""cGANMAR: Wang, Zhao, Noble and Dawant, "Conditional Generative Adversarial Networks for Metal
Artifact Reduction in CT Images of the Ear" (MICCAI 2018).

Public is that it is a conditional adversarial network trained on pairs, with an adversarial and an
L1 loss, and that images are split into three channels by intensity. Not public are layers, weights
of the losses, bands and weights; ADN's authors do not say either how they trained it. So this is
pix2pix (Isola et al., CVPR 2017), which that description fits, as its released code has it:
discriminator, losses, order of updates and initial weights.

Chosen here:
- the generator is pix2pix's ResNet-9 with instance normalization, which has no bottleneck of one
  pixel as its U-Net has;
- one channel, because ADN's range is a clipped window already.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from unmetal.methods.adversarial import REAL, discriminator_loss, gan_loss, l1
from unmetal.methods.method import ImageConfig, ImageMethod, OptimizerStep
from unmetal.nets.blocks import add_noise_to_flat, init_weights
from unmetal.nets.patchgan import PatchGAN
from unmetal.nets.resnet import ResNet
from unmetal.scan import Scan
from unmetal.units import mu_to_network


@dataclass(frozen=True)
class Config(ImageConfig):
    """The networks, and the weight of the truth."""

    width: int = 64
    """Channels of the generator at full resolution."""

    discriminator_width: int = 64
    """Channels of the discriminator's first layer."""

    recon: float = 100.0
    """Weight of the L1 distance to the truth."""


class CGANMAR(ImageMethod):
    """pix2pix, trained on pairs: the discriminator sees the affected slice beside the other."""

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "clean"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.stride = ResNet.stride
        self.generator = ResNet(1, config.width)
        # Two channels: the condition, and the corrected or the true slice.
        self.discriminator = PatchGAN(2, config.discriminator_width, norm=nn.BatchNorm2d)
        init_weights(self)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step of the discriminator, then one of the generator against its new weights."""
        assert scan.clean is not None
        x, y = add_noise_to_flat(mu_to_network(scan.image)), mu_to_network(scan.clean)
        corrected = self.corrected(x)
        # Conditional: [B 2 H W], the affected slice first. Isola et al., equation (1).
        fakes, reals = torch.cat([x, corrected], dim=1), torch.cat([x, y], dim=1)
        # Batch normalization would tell fakes from reals by their share of a common batch.
        loss = discriminator_loss(self.discriminator, fakes, reals, "vanilla", apart=True)
        yield "discriminator", {"pairs": loss}
        adversarial = gan_loss(self.discriminator(fakes), REAL, "vanilla")
        # Equations (3) and (4): the L1 loss and its weight.
        yield "generator", {"adv": adversarial, "recon": self.config.recon * l1(corrected, y)}

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones."""
        return self.generator(x)
