"""The denoising network DnCNN: seventeen convolutions that estimate what to subtract.

Source: Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN
for image denoising", IEEE TIP 26 (2017), its variant for Gaussian noise of one level.
"""

from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32
from unmetal.nets.plain import keep_variance, stack, to_image


class DnCNN(nn.Module):
    """An image to its residual; batch normalisation in all layers but the first and the last."""

    def __init__(self, width: int = 64, depth: int = 17) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *stack(1, width, 1),
            *stack(width, width, depth - 2, normalised=True),
            InFloat32(to_image(width)),
        )
        keep_variance(self)

    def forward(self, x: Tensor) -> Tensor:
        """`[B 1 H W]` to the same shape: what `x` has too much."""
        return self.layers(x)
