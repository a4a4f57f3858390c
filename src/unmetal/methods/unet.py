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

from unmetal.methods.method import Method, OptimizerStep
from unmetal.nets.blocks import pad_to_stride
from unmetal.nets.unet import UNet
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu


@dataclass(frozen=True)
class Config:
    """The size of the network."""

    size: int = 256
    """Side in pixels of the slices it is trained on, which the body fills."""

    width: int = 64
    """Channels at full resolution; they double at every halving of the image."""


class SupervisedUNet(Method):
    """A U-Net, trained on pairs."""

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "clean"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.generator = UNet(config.width)

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm, within the window of `units`."""
        return network_to_mu(self.corrected(mu_to_network(scan.image)))

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean absolute error in the networks' range."""
        assert scan.clean is not None
        # Both in [-1, 1], where 2 is 0.5/cm: an L1 of 0.01 is 13 HU.
        corrected = self.corrected(mu_to_network(scan.image))
        yield "generator", {"l1": functional.l1_loss(corrected, mu_to_network(scan.clean))}

    def corrected(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones."""
        return pad_to_stride(self.generator, x, self.generator.stride)
