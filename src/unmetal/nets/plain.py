"""Plain stacks of 3x3 convolutions: what the small supervised networks are made of."""

import itertools

from torch import nn


def stack(inputs: int, width: int, depth: int, *, normalised: bool = False) -> list[nn.Module]:
    """`depth` times a 3x3 convolution to `width` channels, edges of zeros, and ReLU.

    `normalised` puts batch normalisation between, in place of the convolutions' biases.
    """
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise([inputs, *depth * [width]]):
        layers.append(convolution(before, after, bias=not normalised))
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if normalised else [nn.ReLU()]
    return layers


def to_image(width: int) -> nn.Conv2d:
    """The last layer of a network: `[B width H W]` to `[B 1 H W]` of any sign."""
    return convolution(width, 1)


def to_residual(width: int) -> nn.Conv2d:
    """The last layer of a network that corrects an image, `[B width H W]` to `[B 1 H W]`: nothing
    at first. Training then begins from the image itself and not from noise on top of it; DnCNN
    learned two slices by heart to half the error in the same 200 steps."""
    layer = convolution(width, 1)
    nn.init.zeros_(layer.weight)
    return layer


def convolution(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    """3x3, edges of zeros, starting so that ReLU layers pass on the variance of their input.

    Source: He et al., ICCV 2015. PyTorch's own start loses five sixths of it in each layer, which
    a stack without normalisation does not survive.
    """
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
