"""The discriminator at three scales that MUNIT and DRIT share: patches of 46, 93 and 187 pixels.

Source: Huang et al., "Multimodal Unsupervised Image-to-Image Translation" (ECCV 2018), section 5.1,
and the released code of MUNIT and DRIT (Lee et al., ECCV 2018): the same layers, but that slopes
are 0.2 in the one and 0.01 in the other.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from unmetal.nets.blocks import convolution


class MultiScale(nn.Module):
    """Images `[B 1 H W]` in [-1, 1] to raw scores, one map for each scale, the finest first.

    256 x 256 pixels have 16 x 16, 8 x 8 and 4 x 4 scores. Every scale has weights of its own and
    no normalisation. H and W are at least 16 times `2**(scales - 1)`: below, nothing is left to
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
        for critic in self.scales:
            scores.append(critic(x))
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
