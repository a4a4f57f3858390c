"""DestreakNet-style: Gjesteby et al., "A dual-stream deep convolutional network for reducing metal
streak artifacts in CT images".

Phys. Med. Biol. 64 (2019). After its abstract: NMAR first, then a residual network of two streams,
one of which sees the slice after NMAR. The full text could not be read; chosen here: the other
stream sees the uncorrected slice, where the paper has a mask of the streaks; the loss is the mean
squared error, which the paper compares with a perceptual one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from unmetal.methods.method import Method, OptimizerStep
from unmetal.nets.plain import DualStream
from unmetal.physics.completion.images import nmar_image
from unmetal.scan import Scan
from unmetal.units import WINDOW, mu_to_network


@dataclass(frozen=True)
class Config:
    """The size of the network."""

    width: int = 64
    """Channels of its hidden layers."""

    depth: int = 4
    """Convolutions of each stream, and again after they meet."""


class DestreakNet(Method):
    """A network removes the streaks that NMAR leaves, trained on pairs."""

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})
    train_inputs: ClassVar[frozenset[str]] = inputs | {"clean"}

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.generator = DualStream(config.width, config.depth)

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal; values above the networks' window stay."""
        corrected = nmar_image(scan)
        residual = self.generator(*(mu_to_network(x).float() for x in (corrected, scan.image)))
        # From the networks' range of length 2 to 1/cm.
        return corrected + (residual * (WINDOW[1] - WINDOW[0]) / 2).to(corrected)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean squared error of NMAR's image plus residual."""
        assert scan.clean is not None
        # A reconstruction in bfloat16 would lose digits.
        with torch.no_grad(), torch.autocast(scan.image.device.type, enabled=False):
            images = (nmar_image(scan), scan.image, scan.clean)
            corrected, detail, truth = (mu_to_network(x).float() for x in images)
        residual = self.generator(corrected, detail)
        yield "generator", {"mse": functional.mse_loss(corrected + residual, truth)}
