"""cGANMAR: Wang, Zhao, Noble and Dawant, "Conditional Generative Adversarial Networks for Metal
Artifact Reduction in CT Images of the Ear" (MICCAI 2018).

Public is that it is a conditional adversarial network trained on pairs, with an adversarial and an
L1 loss, and that images are split into three channels by intensity ("band-wise normalisation").
Not public are layers, weights of the losses, bands and weights; ADN's authors do not say either
how they trained it. So this is pix2pix (Isola et al., CVPR 2017), which that description fits, as
its released code has it: generator and critic, losses, order of updates and initial weights.

Chosen here:
- ResNet-9 with instance normalisation by default, which has no bottleneck of one pixel;
- one channel by default, because ADN's range is a clipped window already. `bands` gives the
  generator three; the output and what the critic sees beside its input stay one channel;
- dropout (`unet256` only) and the statistics of the batch end with training, as everywhere else
  here: the same slice gives the same result. The released code keeps both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from unmetal.methods.adversarial import discriminator_loss, l1, real
from unmetal.methods.method import Method, OptimizerStep
from unmetal.nets.blocks import add_noise_to_flat, pad_to_stride, init_weights
from unmetal.nets.patchgan import PatchGAN
from unmetal.nets.resnet import ResNet
from unmetal.nets.unet256 import UNet256
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu

BANDS = ((0.0, 0.15), (0.15, 0.25), (0.25, 0.5))
"""Attenuation in 1/cm that each of three channels spreads over [-1, 1]: up to fat, soft tissue,
bone. Chosen here."""


@dataclass(frozen=True)
class Config:
    """Which networks play, and how much the truth counts."""

    size: int = 256
    """Side in pixels of the slices it is trained on, which the body fills."""

    width: int = 64
    """Channels of the generator at full resolution."""

    discriminator_width: int = 64
    """Channels of the discriminator's first layer."""

    generator: Literal["resnet9", "resnet6", "unet256"] = "resnet9"
    """`resnet9` and `resnet6` have 9 and 6 residual blocks; `unet256` is the U-Net of pix2pix."""

    levels: int = 8
    """How often `unet256` halves the image: 8 for 256 pixels, 7 for 128, 6 for 64."""

    bands: bool = False
    """Show the generator three channels, one for each of `BANDS`."""

    recon: float = 100.0
    """Weight of the L1 distance to the truth."""


class CGANMAR(Method):
    """pix2pix, trained on pairs: the critic sees the affected slice beside the corrected one."""

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "clean"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.generator = generator(config)
        inputs = len(BANDS) if config.bands else 1
        self.discriminator = PatchGAN(inputs + 1, config.discriminator_width, norm="batch")
        init_weights(self)

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm, within the window of `units`."""
        return network_to_mu(self.answer(self.shown(scan.image)))

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One turn of the critic, then one of the generator, which answers the critic's new
        weights."""
        assert scan.clean is not None
        x, y = add_noise_to_flat(self.shown(scan.image)), mu_to_network(scan.clean)
        made = self.answer(x)
        fakes, reals = torch.cat([x, made], dim=1), torch.cat([x, y], dim=1)
        yield (
            "discriminator",
            {"judge": discriminator_loss(self.discriminator, fakes, reals, "log", apart=True)},
        )
        yield (
            "generator",
            {
                "adv": real(self.discriminator(fakes), "log"),
                "recon": self.config.recon * l1(made, y),
            },
        )

    def answer(self, x: Tensor) -> Tensor:
        """What the generator sees, `[B 1 H W]` or `[B 3 H W]`, to clean slices `[B 1 H W]`."""
        return pad_to_stride(self.generator, x, self.generator.stride)

    def shown(self, image: Tensor) -> Tensor:
        """Slices `[B 1 H W]` in 1/cm as the generator sees them, in [-1, 1]."""
        return band_wise(image) if self.config.bands else mu_to_network(image)


def generator(config: Config) -> ResNet | UNet256:
    """The network that `config` names, with fresh weights."""
    inputs = len(BANDS) if config.bands else 1
    if config.generator == "unet256":
        return UNet256(inputs, config.width, config.levels)
    return ResNet(inputs, config.width, residuals=9 if config.generator == "resnet9" else 6)


def band_wise(image: Tensor) -> Tensor:
    """Slices `[B 1 H W]` in 1/cm as one channel per band, each clipped to it: `[B 3 H W]`."""
    return torch.cat([(image.clip(a, b) - a) * (2 / (b - a)) - 1 for a, b in BANDS], dim=1)
