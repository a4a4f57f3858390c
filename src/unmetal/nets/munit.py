"""MUNIT's networks: content encoder, style encoder, and a decoder of both.

Source: Huang, Liu, Belongie and Kautz, "Multimodal Unsupervised Image-to-Image Translation" (ECCV
2018), Figure 3 and section 5.1; kernel sizes, norms and initial weights as in the authors' released
code. Images are `[B 1 H W]` in [-1, 1]; H and W are multiples of 4, at least 16. ADN's encoder and
generator are this paper's content encoder and decoder without the style.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmetal.nets.adn import Architecture, Encoder
from unmetal.nets.blocks import InFloat32, MeanStyle, ToOneChannel, UpsampleConv, convolution

RESIDUALS = 4
"""Residual blocks of encoder and decoder. Source: released configurations."""


class ContentEncoder(Encoder):
    """An image to its content code; layer by layer ADN's encoder."""

    def __init__(self, width: int = 64) -> None:
        super().__init__(Architecture(width=width, downs=2, residuals=RESIDUALS))
        init_kaiming(self)


class StyleEncoder(nn.Sequential):
    """An image `[B 1 H W]` to its style code `[B S]`.

    No normalization, which would take away the means and variances that are the style.
    """

    def __init__(self, width: int = 64, size: int = 8) -> None:
        w, relu = width, nn.ReLU()
        # Four halvings, then the mean over the image: [B 256 1 1] to [B S].
        super().__init__(
            convolution(1, w, 7, activation=relu),
            convolution(w, 2 * w, 4, stride=2, activation=relu),
            *(convolution(c * w, 4 * w, 4, stride=2, activation=relu) for c in (2, 4, 4)),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(4 * w, size, 1),
            nn.Flatten(),
        )
        init_kaiming(self)


class Decoder(nn.Module):
    """A content code and a style code to an image; the style sets the gains and biases."""

    def __init__(self, width: int = 64, size: int = 8) -> None:
        super().__init__()
        deep = 4 * width
        # The MLP that turns a style into the parameters of all AdaIN layers.
        hidden = (nn.Linear(size, deep), nn.ReLU(), nn.Linear(deep, deep), nn.ReLU())
        self.norms = nn.Sequential(*hidden, nn.Linear(deep, RESIDUALS * 4 * deep))
        self.residual = nn.ModuleList([AdaptiveResidual(deep) for _ in range(RESIDUALS)])
        self.doublings = nn.Sequential(doubling(deep, deep // 2), doubling(deep // 2, width))
        self.to_image = InFloat32(ToOneChannel(width, 7), nn.Tanh())
        init_kaiming(self)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """`[B 256 H/4 W/4]` (width 64) and `[B S]` to `[B 1 H W]` in [-1, 1]."""
        # [B 4096] (width 64): 4 blocks x (bias and gain of two norms) x 256 channels.
        norms = self.norms(style).chunk(RESIDUALS, dim=1)
        for block, norm in zip(self.residual, norms, strict=True):
            content = block(content, norm)
        return self.to_image(self.doublings(content))


class AdaptiveResidual(nn.Module):
    """A residual block whose norms get their gain and bias from the style."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 3)
        self.second = convolution(channels, channels, 3)

    def forward(self, x: Tensor, norms: Tensor) -> Tensor:
        """`[B C H W]` to the same; `norms` `[B 4C]`: bias and gain of the first norm, then of the
        second."""
        bias_1, gain_1, bias_2, gain_2 = norms.chunk(4, dim=1)
        inner = functional.relu(adaptive_instance_norm(self.first(x), gain_1, bias_1))
        return x + adaptive_instance_norm(self.second(inner), gain_2, bias_2)


def adaptive_instance_norm(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """AdaIN: `x` `[B C H W]` with mean `bias` and standard deviation `gain`, `[B C]` both."""
    return functional.instance_norm(x) * gain[..., None, None] + bias[..., None, None]


class LayerNorm(nn.Module):
    """MUNIT's own: 1e-5 is added to the standard deviation, not the variance, and that is the
    unbiased one. The gain starts uniform in [0, 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` of any precision to the same shape, float32."""
        # The gradient of `std` is zero where all is equal; that of a square root would be infinite.
        std, mean = torch.std_mean(x.float(), dim=(1, 2, 3), keepdim=True)
        return (x - mean) / (std + 1e-5) * self.weight + self.bias


def doubling(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size in a decoder: nearest neighbor, 5x5 convolution, layer normalization."""
    return nn.Sequential(UpsampleConv(inputs, outputs), LayerNorm(outputs), nn.ReLU())


class Translator(nn.Module):
    """From one domain to the other: the encoder of this one, the decoder and mean style of that."""

    def __init__(self, width: int = 64, size: int = 8) -> None:
        super().__init__()
        self.encode = ContentEncoder(width)
        self.decode = Decoder(width, size)
        self.mean_style = MeanStyle(size)


def init_kaiming(network: nn.Module) -> None:
    """Initialize convolutions and linear layers in place: weights He-normal by fan in, biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
