"""U-Net: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation".

MICCAI 2015, in the form of the PyTorch version that was in general use when ADN was compared with
it: 3x3 convolutions padded with zeros and followed by batch normalisation, so that the output is
as large as the input. That version has changed since; `Version` names its states.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32

Version = Literal["2019", "transposed", "bilinear"]
"""`2019`: bilinear upsampling, convolutions with a bias before the batch normalisation,
13,394,177 parameters. Today's: `transposed` convolutions (31,036,481), or `bilinear` (17,261,825),
both without those biases."""

Output = Literal["tanh", "identity"]
"""What the last convolution is followed by. The original's sigmoid was for segmentation."""


class UNet(nn.Module):
    """Four times down by maximum, four times up, with what each level had on the way down."""

    stride = 16
    """Image sides must be multiples of this number of pixels."""

    def __init__(
        self,
        inputs: int = 1,
        width: int = 64,
        version: Version = "2019",
        output: Output = "tanh",
    ) -> None:
        super().__init__()
        bias = version == "2019"
        # Bilinear upsampling keeps the channels, a transposed convolution halves them.
        shrink = 1 if version == "transposed" else 2
        *skips, deepest = down = [width, 2 * width, 4 * width, 8 * width, 16 * width // shrink]
        up = [8 * width // shrink, 4 * width // shrink, 2 * width // shrink, width]
        self.first = twice(inputs, width, bias=bias)
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), twice(above, below, bias=bias))
            for above, below in pairwise(down)
        )
        self.up = nn.ModuleList(
            Up(below, skip, outputs, version)
            for (below, outputs), skip in zip(pairwise([deepest, *up]), skips[::-1], strict=True)
        )
        self.to_image = InFloat32(
            nn.Conv2d(width, 1, 1), nn.Tanh() if output == "tanh" else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to `[B 1 H W]`."""
        x = self.first(x)
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up in self.up:
            x = up(x, skips.pop())
        return self.to_image(x)


class Up(nn.Module):
    """One level up: the level below at twice its size, beside what was there on the way down."""

    def __init__(self, below: int, skip: int, outputs: int, version: Version) -> None:
        super().__init__()
        self.enlarge: nn.Module
        if version == "transposed":
            self.enlarge = nn.ConvTranspose2d(below, below // 2, 2, stride=2)
            below //= 2
        else:
            self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        between = (below + skip) // 2 if version == "bilinear" else outputs
        self.body = twice(below + skip, outputs, between=between, bias=version == "2019")

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """`[B C H W]` and `[B C' 2H 2W]` to `[B C" 2H 2W]`."""
        return self.body(torch.cat([skip, self.enlarge(x)], dim=1))


def twice(inputs: int, outputs: int, *, between: int | None = None, bias: bool) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""
    between = between or outputs
    return nn.Sequential(
        nn.Conv2d(inputs, between, 3, padding=1, bias=bias),
        nn.BatchNorm2d(between),
        nn.ReLU(),
        nn.Conv2d(between, outputs, 3, padding=1, bias=bias),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )
