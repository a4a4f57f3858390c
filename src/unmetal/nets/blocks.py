"""Layers that several networks are made of: convolutions with reflected edges, residuals, norms.

Image-to-image networks for MAR descend from one another, ADN from MUNIT, MUNIT from CycleGAN, and
share these layers; kernel sizes, slopes and defaults are those of their authors' released code.
"""

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

FLAT = 0.01
"""Standard deviation in networks' units, 13 HU, below which a slice shows nothing but noise."""


def instance_norm(channels: int) -> nn.Module:
    """Zero mean and unit variance per sample and channel; no parameters, no running statistics."""
    return nn.InstanceNorm2d(channels)


def layer_norm(channels: int) -> nn.GroupNorm:
    """Zero mean and unit variance per sample over `[C H W]`, then a gain and bias per channel.

    The gain starts uniform in [0, 1), not at one: so does the released code.
    """
    norm = nn.GroupNorm(1, channels)
    nn.init.uniform_(norm.weight)
    return norm


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    norm: nn.Module | None = None,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Reflection padding and convolution, normalisation, activation."""
    padding = (kernel - 1) // 2
    layers: list[nn.Module | None] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, padding_mode="reflect"),
        norm,
        activation,
    ]
    return nn.Sequential(*(layer for layer in layers if layer is not None))


class Residual(nn.Module):
    """`x + body(x)`: two 3x3 convolutions with an activation between, nothing after the sum."""

    def __init__(
        self,
        channels: int,
        activation: nn.Module,
        norm: Callable[[int], nn.Module] = instance_norm,
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels, 3, norm=norm(channels), activation=activation),
            convolution(channels, channels, 3, norm=norm(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to the same shape."""
        return x + self.body(x)


class ToOneChannel(nn.Conv2d):
    """Reflection padding and a convolution to a single channel, done row by row of the kernel.

    Libraries compute output channels in blocks of 8 or 16. A 7x7 convolution from 64 channels to
    one takes 65 ms at 256 x 256 on a CPU thread; 7 rows as 7 channels, then added up, 16 ms.
    """

    def __init__(self, inputs: int, kernel: int) -> None:
        super().__init__(inputs, 1, kernel, padding=kernel // 2, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to `[B 1 H W]`."""
        height, (kernel, _), pad = x.shape[-2], self.kernel_size, self.kernel_size[0] // 2
        x = functional.pad(x, (pad, pad, pad, pad), mode="reflect")
        rows = functional.conv2d(x, rearrange(self.weight, "1 c row k -> row c 1 k"))
        return sum(
            (rows[:, k : k + 1, k : k + height] for k in range(kernel)),
            self.bias.view(1, 1, 1, 1) if self.bias is not None else rows.new_zeros(()),
        )


class UpsampleConv(nn.Conv2d):
    """Nearest neighbour to twice the size, reflection padding and a 5x5 convolution, in one.

    Each pixel of the small image is seen by the kernel as a block of equal ones, so the four
    pixels that it becomes are four 3x3 convolutions of the small image: 9 multiplications for 25,
    and the large image in between is never made.
    """

    FOLD = ([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
            [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]])  # fmt: skip
    """Which of 5 taps meet the small image's last, same and next pixel, at an even and an odd
    pixel of the large one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5)

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to `[B C' 2H 2W]`."""
        fold = x.new_tensor(self.FOLD, dtype=self.weight.dtype)
        weight = torch.einsum("prk,qsl,oikl->opqirs", fold, fold, self.weight).flatten(0, 2)
        assert self.bias is not None
        bias = self.bias.repeat_interleave(4)
        small = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
        return self.with_reflected_edges(functional.pixel_shuffle(small, 2), x)

    def with_reflected_edges(self, out: Tensor, x: Tensor) -> Tensor:
        """Correct the outermost pixels from replication, which folds, to reflection of the large
        image, which does not: only the outermost tap of the outermost pixel meets the difference.
        """
        w = self.weight
        for edge, inner, tap in ((0, 1, 0), (-1, -2, 4)):
            rows = (x[:, :, inner] - x[:, :, edge]).repeat_interleave(2, -1)[:, :, None]
            rows = functional.pad(rows, (2, 2, 0, 0), mode="reflect")
            out[:, :, edge] += functional.conv2d(rows, w[:, :, tap : tap + 1])[:, :, 0]
            columns = (x[..., inner] - x[..., edge]).repeat_interleave(2, -1)[..., None]
            columns = functional.pad(columns, (0, 0, 2, 2), mode="replicate")
            out[..., edge] += functional.conv2d(columns, w[..., tap : tap + 1])[..., 0]
        return out


class InFloat32(nn.Sequential):
    """Layers computed in single precision, whatever precision the others are computed in.

    For the last layers of a generator: in bfloat16 the image itself would be rounded to steps of
    2 to 10 HU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` of any precision to the layers' output, float32."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


def pad_to_stride(network: Callable[[Tensor], Tensor], x: Tensor, stride: int) -> Tensor:
    """`network` of images `[B C H W]` whose sides need not be multiples of its stride: they are
    reflected at the right and the bottom, and the result is cut back."""
    height, width = x.shape[-2:]
    if height % stride or width % stride:
        rows, columns = (mirrored(side, stride, x.device) for side in (height, width))
        x = x[:, :, rows][..., columns]
    return network(x)[..., :height, :width]


def mirrored(length: int, stride: int, device: torch.device) -> Tensor:
    """Places `0 1 2 1 0 1`, for a length of 3 and a stride of 6: back and forth as often as it
    takes, for deep networks and small images; int64 `[multiple of stride]`."""
    period = max(2 * (length - 1), 1)
    place = torch.arange(length + -length % stride, device=device) % period
    return torch.minimum(place, period - place) if length > 1 else place


def add_noise_to_flat(x: Tensor) -> Tensor:
    """Images `[B C H W]` in [-1, 1], to learn from: flat ones get the noise that a scanner would
    have given them, of a standard deviation of `FLAT`; all others stay as they are.

    Where nothing varies an instance norm multiplies gradients by 1 / sqrt(1e-5) = 316. In a chain
    of twenty they overflow, and one empty slice would turn all weights into NaN.
    """
    flat = x.std(dim=(1, 2, 3), keepdim=True) < FLAT
    return torch.where(flat, x + FLAT * torch.randn_like(x), x)


def init_weights(network: nn.Module, spread: float = 0.02) -> None:
    """Start as CycleGAN, pix2pix and their descendants do, in place.

    Weights of convolutions N(0, 0.02), gains of batch normalisation N(1, 0.02), biases 0.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, spread)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, spread)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


SPAN = 100
"""Training steps that the mean looks back on: codes drift as the encoder learns."""


class MeanStyle(nn.Module):
    """A running mean of style codes: plain over the first `SPAN` steps, exponential from then on.

    Its state is two buffers, so that it is saved, resumed and released with the weights.
    """

    value: Tensor
    steps: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(size))
        self.register_buffer("steps", torch.zeros(()))

    @torch.no_grad()
    def update(self, styles: Tensor) -> None:
        """Take in the codes `[B S]` of clean slices."""
        # Counted no further than `SPAN`: weights are released in half precision.
        self.steps.add_(1).clamp_(max=SPAN)
        self.value.lerp_(styles.detach().float().mean(0), 1 / self.steps)

    def repeated(self, count: int) -> Tensor:
        """The mean, for `count` slices, `[count S]`."""
        return self.value.expand(count, -1)
