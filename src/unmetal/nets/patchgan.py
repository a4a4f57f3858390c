"""The PatchGAN discriminator: a few strided convolutions, one score for every patch of the image.

Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (CVPR
2017), the discriminator of pix2pix, CycleGAN and ADN; layers as in the authors' released code.
"""

from typing import Literal

from torch import nn

from unmetal.nets.blocks import instance_norm

Norm = Literal["instance", "batch", "none"]


class PatchGAN(nn.Sequential):
    """Images `[B C H W]` in [-1, 1] to raw scores `[B 1 h w]`.

    With 3 layers a score sees 70 x 70 pixels and 256 x 256 pixels have 30 x 30 scores; with 2,
    34 x 34 and 62 x 62. Padding is with zeros, slopes are 0.2.
    """

    def __init__(
        self, inputs: int = 1, width: int = 64, layers: int = 3, norm: Norm = "instance"
    ) -> None:
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
    # A batch normalisation has a bias of its own.
    bias = norm != "batch"
    body: list[nn.Module] = [nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=bias)]
    if norm != "none":
        body.append(instance_norm(outputs) if norm == "instance" else nn.BatchNorm2d(outputs))
    return [*body, nn.LeakyReLU(0.2)]
