"""CycleGAN: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks" (ICCV 2017), from affected to clean slices and back.

As the authors' released code has it: ResNet-9, 70-pixel PatchGANs, least-squares adversarial
losses, weights of the losses, order of updates, a pool of 50 earlier fakes for each discriminator,
initial weights N(0, 0.02). Differences:
- one channel;
- no enlarging to 286 pixels and cropping, which would change the texture of attenuation. Slices are
  flipped as for every other method here.

Known of it: without identity losses it may invert or shift the intensities; transposed convolutions
leave a checkerboard; and cycle consistency makes the generator hide the artifact in a pattern of
low amplitude, from which it can be brought back (Chu et al., arXiv 1712.02950).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from unmetal.methods.adversarial import REAL, ImagePool, discriminator_loss, gan_loss, l1
from unmetal.methods.method import ImageConfig, ImageMethod, OptimizerStep
from unmetal.nets.blocks import init_weights, pad_to_stride
from unmetal.nets.patchgan import PatchGAN
from unmetal.nets.resnet import ResNet
from unmetal.scan import Scan


@dataclass(frozen=True)
class Config(ImageConfig):
    """The size of the networks and the weights of the losses."""

    width: int = 64
    """Channels of the generators at full resolution."""

    discriminator_width: int = 64
    """Channels of the discriminators' first layer."""

    residuals: int = 9
    """Residual blocks of each generator."""

    cycle: float = 10.0
    """Weight of cycle consistency, equation (2), each way."""

    identity: float = 5.0
    """Weight of the identity loss (section 5.2), each way: slices of the target domain stay."""

    pool: int = 50
    """Earlier fakes that each discriminator is shown some of; with 0 it sees new ones only."""


class Discriminators(nn.Module):
    """The discriminators of both domains, each with its pool of earlier fakes."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.clean, self.affected = (PatchGAN(1, config.discriminator_width) for _ in range(2))
        self.pool_clean, self.pool_affected = (ImagePool(config.pool) for _ in range(2))


class CycleGAN(ImageMethod):
    """Two generators, each the other's way back, trained on slices without pairs."""

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.stride = ResNet.stride
        # Named by the domain that they translate to: the paper's F and G.
        self.generator = nn.ModuleDict(
            {domain: ResNet(1, config.width, config.residuals) for domain in ("clean", "affected")}
        )
        self.discriminator = Discriminators(config)
        init_weights(self)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step of both generators, then one of both discriminators, on fakes of the pools."""
        w, discriminator = self.config, self.discriminator
        # x: affected, y: clean and of another patient.
        x, y = self.unpaired(scan)
        x_clean, y_affected = self.corrected(x), self.to_affected(y)
        losses = {
            # Equation (1), the generators' part, in its least-squares form (section 4).
            "adv_clean": gan_loss(discriminator.clean(x_clean), REAL),
            "adv_affected": gan_loss(discriminator.affected(y_affected), REAL),
            # Equation (2): there and back.
            "cycle_affected": w.cycle * l1(self.to_affected(x_clean), x),
            "cycle_clean": w.cycle * l1(self.corrected(y_affected), y),
        }
        if w.identity:
            losses["identity_clean"] = w.identity * l1(self.corrected(y), y)
            losses["identity_affected"] = w.identity * l1(self.to_affected(x), x)
        yield "generator", losses
        # Equation (1), the discriminators' part, on a mixture of new and earlier fakes.
        clean_fakes = discriminator.pool_clean.swap(x_clean)
        affected_fakes = discriminator.pool_affected.swap(y_affected)
        losses = {
            "clean": discriminator_loss(discriminator.clean, clean_fakes, y),
            "affected": discriminator_loss(discriminator.affected, affected_fakes, x),
        }
        yield "discriminator", losses

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones."""
        return self.generator["clean"](x)

    def to_affected(self, y: Tensor) -> Tensor:
        """Clean slices with artifacts, `[B 1 H W]` in [-1, 1]."""
        return pad_to_stride(self.generator["affected"], y, ResNet.stride)
