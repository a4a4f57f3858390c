"""The U-Net generator of pix2pix: strided convolutions down to one pixel, and back.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
2017); layers as in the authors' released code, whose `unet_256` halves 256 pixels eight times.
"""

import torch
from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32


class UNet256(nn.Module):
    """Images in [-1, 1] to images in [-1, 1]; 8 levels for 256 pixels, 7 for 128, and so on."""

    def __init__(self, inputs: int = 1, width: int = 64, levels: int = 8) -> None:
        super().__init__()
        self.stride = 2**levels
        channels = [width * min(2**level, 8) for level in range(levels)]
        self.down = nn.ModuleList([nn.Conv2d(inputs, width, 4, stride=2, padding=1, bias=False)])
        for level in range(1, levels):
            innermost = level == levels - 1
            self.down.append(down(channels[level - 1], channels[level], norm=not innermost))
        self.up = nn.ModuleList()
        for level in range(levels - 1, 0, -1):
            # What comes from below has the skipped beside it, except at the bottom.
            below = channels[level] * (1 if level == levels - 1 else 2)
            # Three levels of 8 forget half, those between the bottom and the narrower ones.
            forgets = 4 <= level < levels - 1
            self.up.append(up(below, channels[level - 1], forgets=forgets))
        self.to_image = InFloat32(
            nn.ReLU(), nn.ConvTranspose2d(2 * width, 1, 4, stride=2, padding=1), nn.Tanh()
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]`, sides multiples of `stride`, to `[B 1 H W]`."""
        skips = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        skips.pop()
        for layer in self.up:
            x = torch.cat([skips.pop(), layer(x)], dim=1)
        return self.to_image(x)


def down(inputs: int, outputs: int, *, norm: bool) -> nn.Sequential:
    """Half the size; at 1 x 1 pixel there would be nothing to normalise over."""
    layers = [nn.LeakyReLU(0.2), nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False)]
    return nn.Sequential(*layers, *([nn.BatchNorm2d(outputs)] if norm else []))


def up(inputs: int, outputs: int, *, forgets: bool) -> nn.Sequential:
    """Twice the size; with `forgets` half of the values are dropped while training."""
    layers = [
        nn.ReLU(),
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.Dropout(0.5)] if forgets else []))
