"""DRIT's networks: content encoders and generators, attribute encoders, content discriminator.

Source: Lee, Tseng, Huang, Singh and Yang, "Diverse Image-to-Image Translation via Disentangled
Representations" (ECCV 2018), Figure 3; layers as in the authors' code of 2018 with attributes
concatenated, which is its default. The image discriminators are `nets.patchgan.MultiScale` with
slopes of 0.01. Images are `[B 1 H W]` in [-1, 1]; H and W are multiples of 4, at least 16.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmetal.nets.blocks import InFloat32, MeanStyle, Residual, convolution

Domain = Literal["affected", "clean"]


class Code(NamedTuple):
    """Content and attribute of slices, from which they can be generated."""

    content: Tensor
    """`[B 256 H/4 W/4]` (width 64), in the space of both domains."""

    attribute: Tensor
    """`[B A]`, of its own domain."""


class Normal(NamedTuple):
    """Independent normal distributions of attributes."""

    mean: Tensor
    """`[B A]`."""

    log_variance: Tensor
    """`[B A]`."""

    def rsample(self) -> Tensor:
        """One sample of each, `[B A]`, by the reparametrization trick: gradients pass."""
        return self.mean + torch.randn_like(self.mean) * (self.log_variance / 2).exp()

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from N(0, I), a scalar: attributes summed, mean over slices.

        The released code sums over slices too, and has only one.
        """
        mean, log_variance = self.mean.float(), self.log_variance.float()
        return (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2


class Generator(nn.Module):
    """Content encoders and generators of both domains: all but attributes and discriminators.

    The domains share the last residual block of encoding and the first of decoding.
    """

    def __init__(self, width: int = 64, size: int = 8) -> None:
        super().__init__()
        self.encode_affected = Encoder(width)
        self.encode_clean = Encoder(width)
        self.encode_shared = nn.Sequential(Residual(4 * width, nn.ReLU()), Noise())
        self.decode_shared = Residual(4 * width, nn.ReLU())
        self.decode_affected = Decoder(width, size)
        self.decode_clean = Decoder(width, size)
        self.mean_attribute = MeanStyle(size)
        init_normal(self)

    def content(self, x: Tensor, domain: Domain) -> Tensor:
        """Content of slices of a domain: `[B 1 H W]` to `[B 256 H/4 W/4]` (width 64), with N(0, 1)
        added in training."""
        encode = self.encode_clean if domain == "clean" else self.encode_affected
        return self.encode_shared(encode(x))

    def slice(self, code: Code, domain: Domain) -> Tensor:
        """The slices of a domain, `[B 1 H W]`, of these codes."""
        decode = self.decode_clean if domain == "clean" else self.decode_affected
        return decode(self.decode_shared(code.content), code.attribute)

    def swap(self, affected: Code, clean: Code) -> tuple[Tensor, Tensor]:
        """The content of affected slices with the attribute of clean ones, which makes them clean,
        and the other way round; `[B 1 H W]` each.

        So a swap of the codes of swapped slices gives back clean slices, then affected ones.
        """
        return (
            self.slice(Code(affected.content, clean.attribute), "clean"),
            self.slice(Code(clean.content, affected.attribute), "affected"),
        )


class Encoder(nn.Sequential):
    """A domain's own part of the content encoder: `[B 1 H W]` to `[B 256 H/4 W/4]`.

    There is no norm after the first convolution: unlike ADN's and MUNIT's it is not blind to gain.
    """

    def __init__(self, width: int = 64) -> None:
        relu = nn.ReLU()
        super().__init__(
            convolution(1, width, 7, activation=nn.LeakyReLU(0.01)),
            *(
                convolution(c, 2 * c, 3, stride=2, norm=nn.InstanceNorm2d(2 * c), activation=relu)
                for c in (width, 2 * width)
            ),
            *(Residual(4 * width, relu) for _ in range(3)),
        )


class Noise(nn.Module):
    """Adds N(0, 1) in training and nothing later."""

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        return x + torch.randn_like(x) if self.training else x


class Decoder(nn.Module):
    """A domain's own part of the generator; the attribute is appended at every resolution."""

    def __init__(self, width: int = 64, size: int = 8) -> None:
        super().__init__()
        # Each layer halves what it gets, attribute included: 264, 272 to 136, 144 to 72.
        deep = 4 * width + size
        middle = (deep + size) // 2
        fine = (middle + size) // 2
        self.residual = nn.Sequential(*(Residual(deep, nn.ReLU()) for _ in range(3)))
        self.doublings = nn.ModuleList(
            [doubling(deep + size, middle), doubling(middle + size, fine)]
        )
        self.to_image = InFloat32(nn.ConvTranspose2d(fine + size, 1, 1), nn.Tanh())

    def forward(self, x: Tensor, attribute: Tensor) -> Tensor:
        """`[B 256 H/4 W/4]` (width 64) and `[B A]` to `[B 1 H W]` in [-1, 1]."""
        x = self.residual(append_attribute(x, attribute))
        # [B 264 H/4 W/4] to [B 136 H/2 W/2] to [B 72 H W].
        for doubling in self.doublings:
            x = doubling(append_attribute(x, attribute))
        return self.to_image(append_attribute(x, attribute))


def append_attribute(x: Tensor, attribute: Tensor) -> Tensor:
    """`[B C H W]` with the attribute `[B A]` as constant maps: `[B C+A H W]`."""
    # [B A] to [B A 1 1] to [B A H W].
    maps = attribute[..., None, None].expand(-1, -1, *x.shape[-2:])
    return torch.cat([x, maps], dim=1)


def doubling(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size in a decoder; the layer norm's gain starts at 1, unlike MUNIT's and ADN's."""
    layer = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(layer, nn.GroupNorm(1, outputs), nn.ReLU())


class AttributeEncoder(nn.Module):
    """An image to the distribution of its attribute."""

    def __init__(self, width: int = 64, size: int = 8) -> None:
        super().__init__()
        # Channels 64, 128, 192, 256, half the size at each step; no norms, as in MUNIT's styles.
        self.body = nn.Sequential(
            convolution(1, width, 4, stride=2),
            *(Halving(level * width, (level + 1) * width) for level in (1, 2, 3)),
            nn.LeakyReLU(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.mean = nn.Linear(4 * width, size)
        self.log_variance = nn.Linear(4 * width, size)
        init_normal(self)

    def forward(self, x: Tensor) -> Normal:
        """`[B 1 H W]` to distributions of `[B A]`."""
        # [B 256] after global average pooling.
        x = self.body(x)
        return Normal(self.mean(x), self.log_variance(x))


class Halving(nn.Module):
    """Two 3x3 convolutions, each after its activation, a mean over 2 x 2, and a 1x1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        slope = nn.LeakyReLU(0.2)
        self.body = nn.Sequential(
            slope, convolution(inputs, inputs, 3), slope, convolution(inputs, outputs, 3)
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to `[B C' H/2 W/2]`."""
        # The mean of the 1x1 convolution is the 1x1 convolution of the mean, at a fourth the cost.
        small = functional.avg_pool2d(x, 2)
        return functional.avg_pool2d(self.body(x), 2) + self.shortcut(small)


class ContentDiscriminator(nn.Module):
    """Which domain a content code comes from: `[B 256 h w]` (width 64) to raw scores.

    The released code asks for instance norms, but compares two different strings and never makes
    any: nor are there any here. `layers` convolutions of 7x7 halve the code; the published 3 need
    slices of 216 pixels (1 score) or 256 (2 x 2). At 128 pixels 2 of them fit, at 64 one.
    """

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        c, slope = 4 * width, nn.LeakyReLU(0.01)
        # Of a side of 64: 30, 13, 5, then 2 after the 4x4 convolution without padding.
        body: list[nn.Module] = []
        for _ in range(layers):
            body += [nn.Conv2d(c, c, 7, stride=2, padding=1, padding_mode="reflect"), slope]
        self.body = nn.Sequential(*body, nn.Conv2d(c, c, 4), slope, nn.Conv2d(c, 1, 1))
        init_normal(self)

    def forward(self, content: Tensor) -> Tensor:
        """`[B 256 h w]` to `[B 1 h' w']`."""
        return self.body(content)


def init_normal(network: nn.Module) -> None:
    """Initialize convolutions in place: weights N(0, 0.02). All else keeps PyTorch's values."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
