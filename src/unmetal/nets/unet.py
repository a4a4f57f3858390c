"""U-Net: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation".

MICCAI 2015, in the form of the PyTorch version that was in general use when ADN was compared with
it, in 2019: 3x3 convolutions padded with zeros, so that the output is as large as the input, and
with a bias, though batch normalization follows; bilinear upsampling; 13,394,177 parameters. Its
sigmoid, which was for segmentation, is a tanh here.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32


class UNet(nn.Module):
    """Four times down by maximum, four times up, each level beside its skip connection."""

    stride = 16
    """Image sides must be multiples of this number of pixels."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        # Channels 64, 128, 256, 512, 512: bilinear upsampling cannot halve the last doubling.
        *skips, deepest = down = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        up = [4 * width, 2 * width, width, width]
        self.first = double_convolution(1, width)
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), double_convolution(above, below))
            for above, below in pairwise(down)
        )
        self.up = nn.ModuleList(
            Up(below, skip, outputs)
            for (below, outputs), skip in zip(pairwise([deepest, *up]), skips[::-1], strict=True)
        )
        self.to_image = InFloat32(nn.Conv2d(width, 1, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        """`[B 1 H W]` to `[B 1 H W]` in [-1, 1]."""
        x = self.first(x)
        skips = []
        # Down: [B 64 H W] to [B 512 H/16 W/16].
        for down in self.down:
            skips.append(x)
            x = down(x)
        # Up again, the coarsest skip connection first.
        for up in self.up:
            x = up(x, skips.pop())
        return self.to_image(x)


class Up(nn.Module):
    """One level up: the level below at twice its size, beside the skip connection."""

    def __init__(self, below: int, skip: int, outputs: int) -> None:
        super().__init__()
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.body = double_convolution(below + skip, outputs)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """`[B C H W]` and `[B C' 2H 2W]` to `[B C" 2H 2W]`."""
        return self.body(torch.cat([skip, self.upsample(x)], dim=1))


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch normalization and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
