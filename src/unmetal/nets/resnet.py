"""The residual generator of CycleGAN and of our cGANMAR: down, residual blocks, up.

Source: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks" (ICCV 2017), after Johnson et al. (ECCV 2016); layers as in the authors' released code,
with instance normalization. The transposed convolutions are known to leave a checkerboard.

As ADN's, it normalizes over the whole slice and is blind to a positive affine change of its input.
"""

from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32, Residual, ToOneChannel, convolution


class ResNet(nn.Module):
    """ResNet-9, or with `residuals=6` ResNet-6: images in [-1, 1] to images in [-1, 1]."""

    stride = 4
    """Image sides must be multiples of this number of pixels."""

    def __init__(self, inputs: int = 1, width: int = 64, residuals: int = 9) -> None:
        super().__init__()
        # [B 1 H W] to [B 64 H W], [B 128 H/2 W/2], [B 256 H/4 W/4] (width 64).
        self.down = nn.Sequential(
            convolution(inputs, width, 7, norm=nn.InstanceNorm2d(width), activation=nn.ReLU()),
            *halving(width),
            *halving(2 * width),
        )
        self.residual = nn.Sequential(*(Residual(4 * width, nn.ReLU()) for _ in range(residuals)))
        self.up = nn.Sequential(*doubling(4 * width), *doubling(2 * width))
        # In bfloat16 the image would be rounded to steps of 2 to 10 HU.
        self.to_image = InFloat32(ToOneChannel(width, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to `[B 1 H W]` in [-1, 1]; 4 x width channels and H/4 W/4 in between."""
        return self.to_image(self.up(self.residual(self.down(x))))


def halving(c: int) -> tuple[nn.Module, ...]:
    """Half the size and twice the channels: a 3x3 convolution with stride 2, padded with zeros."""
    return nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * c), nn.ReLU()


def doubling(c: int) -> tuple[nn.Module, ...]:
    """Twice the size and half the channels: a transposed 3x3 convolution."""
    layer = nn.ConvTranspose2d(c, c // 2, 3, stride=2, padding=1, output_padding=1)
    return layer, nn.InstanceNorm2d(c // 2), nn.ReLU()
