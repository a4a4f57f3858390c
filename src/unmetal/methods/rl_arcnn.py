"""RL-ARCNN-style: Huang et al., "Metal artifact reduction on cervical CT images by deep residual
learning".

BioMed Eng OnLine 17:175 (2018). After its abstract: a convolutional network learns the residual,
the artifact, from patches of simulated pairs, and its output is subtracted. The full text could not
be read; chosen here: the network is DnCNN, patches are 64 x 64 at random places, the loss is the
mean squared error, for Adam with a learning rate that falls from 1e-3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from unmetal.methods.method import ImageConfig, ImageMethod, OptimizerStep
from unmetal.methods.patches import crop, random_corners
from unmetal.nets.plain import DnCNN
from unmetal.scan import Scan
from unmetal.units import mu_to_network


@dataclass(frozen=True)
class Config(ImageConfig):
    """The network and its training patches."""

    width: int = 64
    """Channels of its hidden layers."""

    depth: int = 17
    """Number of convolutions."""

    patches: int = 16
    """Patches of each slice; 0 takes the whole slice."""

    side: int = 64
    """Side of a patch in pixels."""


class RLARCNN(ImageMethod):
    """Residual learning of artifacts, on the slice alone."""

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "clean"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.generator = DnCNN(config.width, config.depth)

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones; the network gives the artifact."""
        return x - self.generator(x.float())

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step by the mean squared error of the artifact."""
        assert scan.clean is not None
        x, y = (mu_to_network(image).float() for image in (scan.image, scan.clean))
        if self.config.patches:
            # [B 1 H W] to [B*patches 1 side side], the same places in input and truth.
            side = min(self.config.side, *x.shape[-2:])
            corners = random_corners(x, self.config.patches, side)
            x, y = crop(x, corners, side), crop(y, corners, side)
        yield "generator", {"mse": functional.mse_loss(self.generator(x), x - y)}
