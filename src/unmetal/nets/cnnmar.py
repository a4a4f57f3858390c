"""CNNMAR's network: five plain convolutions that see three corrections of one slice.

Source: Zhang and Yu, "Convolutional neural network based metal artifact reduction in X-ray computed
tomography", IEEE TMI 37 (2018), and their released code (initializeCNNMAR.m: He's initial weights).
No normalization and no residual: an output pixel is made of 11 x 11 of the input.
"""

from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32
from unmetal.nets.plain import stack, to_image


class Fusion(nn.Module):
    """The uncorrected, the BHC and the LI image to one image."""

    def __init__(self, width: int = 32, depth: int = 5) -> None:
        super().__init__()
        # The whole image passes through these layers: in bfloat16 it would be rounded in each.
        self.layers = InFloat32(*stack(3, width, depth - 1), to_image(width))

    def forward(self, images: Tensor) -> Tensor:
        """`[B 3 H W]` to `[B 1 H W]`, in the unit of the input."""
        return self.layers(images)
