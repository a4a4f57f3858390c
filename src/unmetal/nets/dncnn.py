"""The denoising network DnCNN: seventeen convolutions that estimate what to subtract.

Source: Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN
for image denoising", IEEE TIP 26 (2017), its variant for Gaussian noise of one level; but for the
last layer's initial weights, see `plain.to_residual`.
"""

from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32
from unmetal.nets.plain import stack, to_residual


class DnCNN(nn.Module):
    """An image to its residual; batch normalization in all layers but the first and the last."""

    def __init__(self, width: int = 64, depth: int = 17) -> None:
        super().__init__()
        # Convolution and ReLU; 15 times convolution, batch normalization and ReLU; convolution.
        self.layers = nn.Sequential(
            *stack(1, width, 1),
            *stack(width, width, depth - 2, batch_norm=True),
            InFloat32(to_residual(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B 1 H W]` to the same shape: what is to be subtracted from `x`."""
        return self.layers(x)
