"""The PatchGAN discriminator: a few strided convolutions, one score for every patch of the image.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
2017), the discriminator of pix2pix, CycleGAN and ADN; layers as in the authors' released code.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from unmetal.nets.blocks import convolution


class PatchGAN(nn.Sequential):
    """Images `[B C H W]` in [-1, 1] to raw scores `[B 1 h w]`.

    With 3 layers a score sees 70 x 70 pixels and 256 x 256 pixels have 30 x 30 scores; with 2,
    34 x 34 and 62 x 62. Padding is with zeros, slopes are 0.2.
    """

    def __init__(
        self,
        inputs: int = 1,
        width: int = 64,
        layers: int = 3,
        norm: Callable[[int], nn.Module] = nn.InstanceNorm2d,
    ) -> None:
        # Channels 64, 128, 256, 512, then no more.
        outputs = [width * min(2**level, 8) for level in range(layers + 1)]
        # Batch normalization has a bias of its own.
        bias = norm is not nn.BatchNorm2d
        body = [nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for level, (before, after) in enumerate(pairwise(outputs), start=1):
            stride = 2 if level < layers else 1
            layer = nn.Conv2d(before, after, 4, stride, padding=1, bias=bias)
            body += [layer, norm(after), nn.LeakyReLU(0.2)]
        super().__init__(*body, nn.Conv2d(outputs[-1], 1, 4, padding=1))


class MultiScale(nn.Module):
    """Images `[B 1 H W]` in [-1, 1] to raw scores, one map for each scale, the finest first.

    256 x 256 pixels have 16 x 16, 8 x 8 and 4 x 4 scores. Every scale has weights of its own and
    no normalization. H and W are at least 16 times `2**(scales - 1)`: below, nothing is left to
    reflect; at 64 the third scale is a single score of the whole image, and 2 scales are enough.
    """

    def __init__(self, width: int = 64, scales: int = 3, slope: float = 0.2) -> None:
        super().__init__()
        self.scales = nn.ModuleList([one_scale(width, slope) for _ in range(scales)])

    def forward(self, x: Tensor) -> list[Tensor]:
        """`[B 1 H W]` to `[B 1 H/16 W/16]`, `[B 1 H/32 W/32]`, and so on."""
        scores = []
        # Each scale sees the image at half the resolution of the one before.
        for discriminator in self.scales:
            scores.append(discriminator(x))
            x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return scores


def one_scale(width: int, slope: float) -> nn.Sequential:
    """`[B 1 H W]` to scores `[B 1 H/16 W/16]`, by four halvings."""
    relu, channels = nn.LeakyReLU(slope), [1, width, 2 * width, 4 * width, 8 * width]
    halvings = (convolution(a, b, 4, stride=2, activation=relu) for a, b in pairwise(channels))
    return nn.Sequential(*halvings, nn.Conv2d(channels[-1], 1, 1))
