"""A residual U-Net with norms of single pixels, whose first level works at half the resolution.

The U-Net of Ronneberger et al., MICCAI 2015, with the residual blocks of He et al., "Identity
Mappings in Deep Residual Networks", ECCV 2016. Instance and batch norms would make a result depend
on how much air surrounds the patient. Without any norm, activations died within 300 steps of a
network that draws HU; a small one that segments did better without. The mean goes too: a common
shift of all channels would move the whole output at once.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pixel_norm(x: Tensor) -> Tensor:
    """`[B C H W]` with mean 0 and standard deviation 1 over the channels of each pixel (Ba et al.,
    "Layer Normalization", 2016): no pixel's result depends on another's."""
    x = x - x.mean(1, keepdim=True)
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of the input after `prepare`, added to it; the identity at the start."""

    def __init__(self, channels: int, prepare: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.prepare = prepare
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        # Zero: the network starts as its shortcuts, and depth does not scale the signal.
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to the same shape."""
        return x + self.second(F.silu(self.first(self.prepare(x))))


class ResidualUNet(nn.Module):
    """Any number of input images to any number of output images, of any size; zero at the start.

    inputs, outputs: channels. width: channels at half the resolution; they double at every halving
    up to four times as many. levels: resolutions, half the image's and below. normalize: by
    `pixel_norm`; else there are only activations.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, levels: int, *, normalize: bool = True
    ) -> None:
        super().__init__()
        self.prepare = pixel_norm if normalize else F.silu
        self.stride = 2**levels
        widths = [width * min(2**level, 4) for level in range(levels)]
        # Blocks of 2 x 2 pixels become channels: a quarter of the work, and no pixel is lost.
        self.first = nn.Conv2d(4 * inputs, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairs)
        self.encoder = nn.ModuleList(ResidualBlock(n, self.prepare) for n in widths)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(ResidualBlock(n, self.prepare) for n in widths[:-1])
        self.last = nn.Conv2d(widths[0], 4 * outputs, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """`[B inputs H W]` to `[B outputs H W]`."""
        height, width = x.shape[-2:]
        # Sides that every level can halve; what is added repeats the edge and is cut off again.
        x = F.pad(x, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        y = self.first(F.pixel_unshuffle(x, 2))  # [B width H/2 W/2]
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            y = block(y)
            if level < len(self.down):
                skips.append(y)
                y = self.down[level](y)
        for level in reversed(range(len(self.up))):
            # Fewer channels first, then larger; skip connections are added.
            y = F.interpolate(self.up[level](y), scale_factor=2.0, mode="nearest") + skips[level]
            y = self.decoder[level](y)
        return F.pixel_shuffle(self.last(self.prepare(y)), 2)[..., :height, :width]
