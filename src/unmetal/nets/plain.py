"""Plain stacks of 3x3 convolutions: what the small supervised networks are made of."""

import itertools

from torch import nn


def stack(inputs: int, width: int, depth: int, *, normalised: bool = False) -> list[nn.Module]:
    """`depth` times a 3x3 convolution to `width` channels, edges of zeros, and ReLU.

    `normalised` puts batch normalisation between, in place of the convolutions' biases.
    """
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise([inputs, *depth * [width]]):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=not normalised)]
        layers += [nn.BatchNorm2d(after), nn.ReLU()] if normalised else [nn.ReLU()]
    return layers


def to_image(width: int) -> nn.Conv2d:
    """The last layer: `[B width H W]` to `[B 1 H W]` of any sign."""
    return nn.Conv2d(width, 1, 3, padding=1)


def keep_variance(network: nn.Module) -> None:
    """Start so that ReLU layers pass on the variance of their input, biases 0, in place.

    Source: He et al., ICCV 2015. PyTorch's own start loses five sixths of it in each layer, which
    a stack without normalisation does not survive.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
