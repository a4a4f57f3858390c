"""The small supervised networks: plain stacks of 3x3 convolutions."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32


class Fusion(nn.Module):
    """CNNMAR's network: the uncorrected, the BHC and the LI image to one image.

    Source: Zhang and Yu, "Convolutional neural network based metal artifact reduction in X-ray
    computed tomography", IEEE TMI 37 (2018), and their released code (initializeCNNMAR.m: He's
    initial weights). No normalization, no residual: an output pixel sees 11 x 11 of the input.
    """

    def __init__(self, width: int = 32, depth: int = 5) -> None:
        super().__init__()
        # The whole image passes through these layers: in bfloat16 it would be rounded in each.
        self.layers = InFloat32(*stack(3, width, depth - 1), convolution(width, 1))

    def forward(self, images: Tensor) -> Tensor:
        """`[B 3 H W]` to `[B 1 H W]`, in the unit of the input."""
        return self.layers(images)


class DnCNN(nn.Module):
    """An image to its residual; batch normalization in all layers but the first and the last.

    Source: Zhang, Zuo, Chen, Meng and Zhang, "Beyond a Gaussian denoiser: residual learning of deep
    CNN for image denoising", IEEE TIP 26 (2017), its variant for Gaussian noise of one level; but
    for the last layer's initial weights, see `to_residual`.
    """

    def __init__(self, width: int = 64, depth: int = 17) -> None:
        super().__init__()
        # Convolution and ReLU; 15 times convolution, batch normalization and ReLU; convolution.
        self.layers = nn.Sequential(
            *stack(1, width, 1),
            *stack(width, width, depth - 2, batch_norm=True),
            InFloat32(to_residual(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B 1 H W]` to the same shape: what is to be subtracted from `x`."""
        return self.layers(x)


class DualStream(nn.Module):
    """The slice after NMAR and the uncorrected slice to a residual for the former.

    In the style of DestreakNet: Gjesteby et al., "A dual-stream deep convolutional network for
    reducing metal streak artifacts in CT images", Phys. Med. Biol. 64 (2019), as far as its
    abstract goes. Its layer tables could not be read, so the layers are a choice: four of 64
    channels in each stream, four after they meet.
    """

    def __init__(self, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.corrected = nn.Sequential(*stack(1, width, depth))
        self.detail = nn.Sequential(*stack(1, width, depth))
        last = InFloat32(to_residual(width))
        self.joint = nn.Sequential(*stack(2 * width, width, depth), last)

    def forward(self, corrected: Tensor, detail: Tensor) -> Tensor:
        """Two images `[B 1 H W]` to the residual of the first, the same shape."""
        # Two streams of [B width H W] become one of 2 x width channels.
        both = torch.cat([self.corrected(corrected), self.detail(detail)], dim=1)
        return self.joint(both)


def stack(inputs: int, width: int, depth: int, *, batch_norm: bool = False) -> list[nn.Module]:
    """`depth` times a 3x3 convolution to `width` channels, padded with zeros, and ReLU.

    `batch_norm` puts batch normalization between, in place of the convolutions' biases.
    """
    layers: list[nn.Module] = []
    # Channels: inputs, width, width, ...
    for before, after in pairwise([inputs, *depth * [width]]):
        layers.append(convolution(before, after, bias=not batch_norm))
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if batch_norm else [nn.ReLU()]
    return layers


def to_residual(width: int) -> nn.Conv2d:
    """The last layer of a residual network, `[B width H W]` to `[B 1 H W]`; its weights start at 0.

    Training then begins from the image itself and not from noise on top of it: fitted to two
    slices, DnCNN reached half the error in the same 200 steps.
    """
    layer = convolution(width, 1)
    nn.init.zeros_(layer.weight)
    return layer


def convolution(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """A 3x3 convolution padded with zeros, initialized after He et al. (ICCV 2015).

    PyTorch's own initial weights lose five sixths of the variance in each layer, which a stack
    without normalization does not survive.
    """
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    # Variance 2 / (9 x inputs), by fan in.
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
