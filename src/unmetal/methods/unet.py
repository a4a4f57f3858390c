"""UNet: the supervised baseline of ADN's Table 1, a U-Net from affected to clean slices.

The network is Ronneberger et al., MICCAI 2015 (`unmetal.nets.unet`). ADN's authors name the PyTorch
version they took and not how they trained it; that version's own losses and rates are for
segmentation. Chosen here: the L1 distance in the networks' range and ADN's schedule, so that only
network and supervision differ; tanh at the end, as ADN has, in place of the sigmoid.

Batch normalization measures each training batch and uses running means afterwards. With batches
of one or two both differ, and what is validated is not what was trained: train with 8 or more
where memory allows. The running means are those of rank 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from unmetal.methods.method import ImageConfig, ImageMethod, OptimizerStep
from unmetal.nets.unet import UNet
from unmetal.scan import Scan
from unmetal.units import mu_to_network


@dataclass(frozen=True)
class Config(ImageConfig):
    """The size of the network."""

    width: int = 64
    """Channels at full resolution; they double at every halving of the image."""


class SupervisedUNet(ImageMethod):
    """A U-Net, trained on pairs."""

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "clean"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.generator = UNet(config.width)
        self.stride = self.generator.stride

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean absolute error in the networks' range."""
        assert scan.clean is not None
        # Both in [-1, 1], where 2 is 0.5/cm: an L1 of 0.01 is 13 HU.
        corrected = self.corrected(mu_to_network(scan.image))
        yield "generator", {"l1": functional.l1_loss(corrected, mu_to_network(scan.clean))}

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones."""
        return self.generator(x)
