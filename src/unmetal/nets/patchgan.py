"""The PatchGAN discriminator: a few strided convolutions, one score for every patch of the image.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
2017), the discriminator of pix2pix, CycleGAN and ADN; layers as in the authors' released code.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from unmetal.nets.blocks import convolution, instance_norm

Norm = Literal["instance", "batch", "none"]


class PatchGAN(nn.Sequential):
    """Images `[B C H W]` in [-1, 1] to raw scores `[B 1 h w]`.

    With 3 layers a score sees 70 x 70 pixels and 256 x 256 pixels have 30 x 30 scores; with 2,
    34 x 34 and 62 x 62. Padding is with zeros, slopes are 0.2.
    """

    def __init__(
        self, inputs: int = 1, width: int = 64, layers: int = 3, norm: Norm = "instance"
    ) -> None:
        # Channels 64, 128, 256, 512, then no more.
        outputs = [width * min(2**level, 8) for level in range(layers + 1)]
        body: list[nn.Module] = [
            nn.Conv2d(inputs, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        ]
        for level in range(1, layers + 1):
            stride = 2 if level < layers else 1
            body += _layer(outputs[level - 1], outputs[level], stride, norm)
        super().__init__(*body, nn.Conv2d(outputs[-1], 1, 4, padding=1))


def _layer(inputs: int, outputs: int, stride: int, norm: Norm) -> list[nn.Module]:
    # Batch normalization has a bias of its own.
    bias = norm != "batch"
    body: list[nn.Module] = [nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=bias)]
    if norm != "none":
        body.append(instance_norm(outputs) if norm == "instance" else nn.BatchNorm2d(outputs))
    return [*body, nn.LeakyReLU(0.2)]


class MultiScale(nn.Module):
    """Images `[B 1 H W]` in [-1, 1] to raw scores, one map for each scale, the finest first.

    256 x 256 pixels have 16 x 16, 8 x 8 and 4 x 4 scores. Every scale has weights of its own and
    no normalization. H and W are at least 16 times `2**(scales - 1)`: below, nothing is left to
    reflect; at 64 the third scale is a single score of the whole image, and 2 scales are enough.
    """

    def __init__(
        self, width: int = 64, scales: int = 3, layers: int = 4, slope: float = 0.2
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList([_one_scale(width, layers, slope) for _ in range(scales)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """`[B 1 H W]` to `[B 1 H/16 W/16]`, `[B 1 H/32 W/32]`, and so on."""
        scores = []
        # Each scale sees the image at half the resolution of the one before.
        for discriminator in self.scales:
            scores.append(discriminator(x))
            x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return scores


def _one_scale(width: int, layers: int, slope: float) -> nn.Sequential:
    channels = [1, *(width * 2**level for level in range(layers))]
    return nn.Sequential(
        *(
            convolution(inputs, outputs, 4, stride=2, activation=nn.LeakyReLU(slope))
            for inputs, outputs in pairwise(channels)
        ),
        nn.Conv2d(channels[-1], 1, 1),
    )
