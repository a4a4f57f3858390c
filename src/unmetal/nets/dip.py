"""DIP's hourglass with skip connections, one set of weights for each image of a batch.

Source: Ulyanov, Vedaldi and Lempitsky, "Deep image prior" (CVPR 2018), layers as in their released
code for denoising. Images do not share weights: those of B images lie side by side as channels of
one batch entry, `[1 B*C H W]`, convolutions have B groups, and batch normalisation over that one
entry is what each image would have alone. Every parameter holds image after image along its first
axis.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Architecture:
    """How wide and deep it is; the defaults are the authors' for denoising."""

    channels: tuple[int, ...] = (128, 128, 128, 128, 128)
    """Channels of each scale, finest first; as many as there are halvings."""

    skips: int = 4
    """Channels of each skip connection."""

    inputs: int = 32
    """Channels of the noise that becomes the image."""

    @property
    def stride(self) -> int:
        """Image sides must be multiples of this number of pixels."""
        return 2 ** len(self.channels)

    def for_size(self, height: int, width: int) -> "Architecture":
        """The same with fewer scales where an image is small: the coarsest needs 2 x 2 pixels, or
        batch normalization would have nothing to measure."""
        most = min(height, width).bit_length() - 2
        return replace(self, channels=self.channels[: max(most, 1)])


class Skip(nn.Module):
    """The whole network, noise to images (`skip` in the released code)."""

    def __init__(self, architecture: Architecture, images: int = 1) -> None:
        super().__init__()
        self.architecture, self.images = architecture, images
        self.scales = Scale(architecture, 0, images)
        self.to_image = nn.Sequential(
            nn.Conv2d(architecture.channels[0] * images, images, 1, groups=images), nn.Sigmoid()
        )

    def forward(self, noise: Tensor) -> Tensor:
        """The same noise `[1 C H W]` for all to an image for each, `[B 1 H W]` in [0, 1]."""
        # [1 C H W] to [1 B*C H W]; the B output channels become the batch.
        x = self.scales(noise.repeat(1, self.images, 1, 1))
        return self.to_image(x).transpose(0, 1)

    @torch.no_grad()
    def copies(self, images: int) -> "Skip":
        """A network for `images` images, each of which starts from this one's weights."""
        many = Skip(self.architecture, images)
        # Parameters hold image after image along their first axis.
        for parameter, one in zip(many.parameters(), self.parameters(), strict=True):
            parameter.copy_(one.repeat(images, *(one.dim() - 1) * [1]))
        return many


class Scale(nn.Module):
    """One resolution: a skip connection, beside it all coarser resolutions, both joined."""

    def __init__(self, architecture: Architecture, level: int, images: int) -> None:
        super().__init__()
        channels, skips = architecture.channels, architecture.skips
        inputs, width = [architecture.inputs, *channels][level], channels[level]
        self.images = images
        self.skip = layer(inputs, skips, 1, images)
        self.down = nn.Sequential(
            layer(inputs, width, 3, images, stride=2), layer(width, width, 3, images)
        )
        deeper = level + 1 < len(channels)
        self.coarser = Scale(architecture, level + 1, images) if deeper else nn.Identity()
        # Skip connection and what comes back from below lie beside each other.
        joined = skips + (channels[level + 1] if deeper else width)
        self.join = nn.Sequential(
            nn.BatchNorm2d(joined * images, track_running_stats=False),
            layer(joined, width, 3, images),
            layer(width, width, 1, images),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[1 B*C H W]` to the same with this scale's channels."""
        coarse = self.coarser(self.down(x))
        up = functional.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        # [1 B*C H W] to [B C H W], to lay each image's skip beside its own channels; and back.
        parts = [part.reshape(self.images, -1, *x.shape[-2:]) for part in (self.skip(x), up)]
        return self.join(torch.cat(parts, dim=1).reshape(1, -1, *x.shape[-2:]))


def layer(inputs: int, outputs: int, kernel: int, images: int, *, stride: int = 1) -> nn.Sequential:
    """A convolution with reflected edges, batch normalisation, leaky ReLU."""
    width, pad = outputs * images, kernel // 2
    conv = nn.Conv2d(
        inputs * images, width, kernel, stride, pad, groups=images, padding_mode="reflect"
    )
    # Each channel of each image is normalized by itself, always as it is now.
    norm = nn.BatchNorm2d(width, track_running_stats=False)
    return nn.Sequential(conv, norm, nn.LeakyReLU(0.2, inplace=True))
