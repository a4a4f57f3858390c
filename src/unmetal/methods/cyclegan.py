"""CycleGAN: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks" (ICCV 2017), from affected to clean slices and back.

As the authors' released code has it: ResNet-9, 70-pixel PatchGANs, least-squares adversarial
losses, weights of the losses, order of updates, 50 earlier fakes for each critic, N(0, 0.02) to
start with. Differences:
- one channel;
- no enlarging to 286 pixels and cropping, which would change the texture of attenuation. Slices are
  flipped as for every other method here.

Known of it: without identity losses it may invert or shift the intensities; transposed convolutions
leave a checkerboard; and cycle consistency makes the generator hide the artifact in a pattern of
low amplitude, from which it can be brought back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from unmetal.methods.adversarial import ImagePool, discriminator_loss, l1, real
from unmetal.methods.method import Method, OptimizerStep
from unmetal.nets.blocks import add_noise_to_flat, pad_to_stride, init_weights
from unmetal.nets.patchgan import PatchGAN
from unmetal.nets.resnet import ResNet
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu


@dataclass(frozen=True)
class Config:
    """How large the networks are and how much each loss counts."""

    size: int = 256
    """Side in pixels of the slices it is trained on, which the body fills."""

    width: int = 64
    """Channels of the generators at full resolution."""

    discriminator_width: int = 64
    """Channels of the discriminators' first layer."""

    residuals: int = 9
    """Residual blocks of each generator."""

    cycle: float = 10.0
    """Weight of coming back to where a slice started, each way."""

    identity: float = 5.0
    """Weight of leaving alone what already is as it should be, each way."""

    pool: int = 50
    """How many earlier fakes each critic is shown some of; with 0 it sees new ones only."""


class Discriminators(nn.Module):
    """The discriminators of both domains, and the earlier fakes that each of them is shown."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.clean, self.spoilt = (PatchGAN(1, config.discriminator_width) for _ in range(2))
        self.earlier_clean, self.earlier_spoilt = (ImagePool(config.pool) for _ in range(2))


class CycleGAN(Method):
    """Two generators, each the other's way back, trained on slices without pairs."""

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.generator = nn.ModuleDict(
            {name: ResNet(1, config.width, config.residuals) for name in ("clean", "spoil")}
        )
        self.discriminator = Discriminators(config)
        init_weights(self)

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm, within the window of `units`."""
        return network_to_mu(self.clean(mu_to_network(scan.image)))

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One turn of both generators, then one of both critics, on some of the earlier fakes."""
        assert scan.other is not None
        w = self.config
        x, y = (
            add_noise_to_flat(mu_to_network(scan.image)),
            add_noise_to_flat(mu_to_network(scan.other)),
        )
        x_clean, y_affected = self.clean(x), self.spoil(y)
        losses = {
            "adv_clean": real(self.discriminator.clean(x_clean)),
            "adv_artifact": real(self.discriminator.spoilt(y_affected)),
            "cycle_affected": w.cycle * l1(self.spoil(x_clean), x),
            "cycle_clean": w.cycle * l1(self.clean(y_affected), y),
        }
        if w.identity:
            losses["identity_clean"] = w.identity * l1(self.clean(y), y)
            losses["identity_affected"] = w.identity * l1(self.spoil(x), x)
        yield "generator", losses
        shown_clean = self.discriminator.earlier_clean.swap(x_clean)
        shown_affected = self.discriminator.earlier_spoilt.swap(y_affected)
        yield (
            "discriminator",
            {
                "clean": discriminator_loss(self.discriminator.clean, shown_clean, y),
                "affected": discriminator_loss(self.discriminator.spoilt, shown_affected, x),
            },
        )

    def clean(self, x: Tensor) -> Tensor:
        """Affected slices without artifacts, `[B 1 H W]` in [-1, 1]."""
        return pad_to_stride(self.generator["clean"], x, ResNet.stride)

    def spoil(self, y: Tensor) -> Tensor:
        """Clean slices with artifacts, `[B 1 H W]` in [-1, 1]."""
        return pad_to_stride(self.generator["spoil"], y, ResNet.stride)
