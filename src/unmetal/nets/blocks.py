"""Layers that several networks are made of: convolutions with reflected edges, residuals, norms.

Image-to-image networks for MAR descend from one another, ADN from MUNIT, MUNIT from CycleGAN, and
share these layers; kernel sizes, slopes and defaults are those of their authors' released code.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

FLAT = 0.01
"""Standard deviation in the networks' range, 13 HU, below which a slice shows only noise."""

MEAN_STEPS = 100
"""Training steps that `MeanStyle` looks back on: codes drift as the encoder learns."""


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
    """Reflection padding and convolution, normalization, activation."""
    padding = (kernel - 1) // 2
    layers: list[nn.Module | None] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, padding_mode="reflect"),
        norm,
        activation,
    ]
    return nn.Sequential(*(layer for layer in layers if layer is not None))


class Residual(nn.Module):
    """`x + body(x)`: two 3x3 convolutions with an activation between, nothing after the sum."""

    def __init__(self, channels: int, activation: nn.Module) -> None:
        super().__init__()
        norm = nn.InstanceNorm2d(channels)  # no parameters, no running statistics
        self.body = nn.Sequential(
            convolution(channels, channels, 3, norm=norm, activation=activation),
            convolution(channels, channels, 3, norm=norm),
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
        # Weight [1 C row k] to [row C 1 k]: each row of the kernel becomes an output channel.
        rows = functional.conv2d(x, self.weight.permute(2, 1, 0, 3))
        # rows [B kernel H+2pad W]: row k of the kernel belongs k pixels further down.
        assert self.bias is not None
        shifted = (rows[:, k : k + 1, k : k + height] for k in range(kernel))
        return sum(shifted, self.bias.view(1, 1, 1, 1))


class UpsampleConv(nn.Conv2d):
    """Nearest neighbor to twice the size, reflection padding and a 5x5 convolution, in one.

    The kernel sees each pixel of the small image as a 2 x 2 block of equal ones, so the four
    pixels that it becomes are four 3x3 convolutions of the small image: 9 multiplications for 25,
    and the large image in between is never made.
    """

    FOLD = ([[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
            [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]])  # fmt: skip
    """`[2 3 5]`: which of 5 taps meet the small image's previous, same and next pixel, for an even
    and an odd pixel of the large one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5)

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to `[B C' 2H 2W]`."""
        fold = x.new_tensor(self.FOLD, dtype=self.weight.dtype)
        # Taps [C' C 5 5] are summed where they meet one small pixel: [C' 2 2 C 3 3], the parities
        # (p, q) of the large pixel beside the output channel; then [4C' C 3 3].
        weight = torch.einsum("prk,qsl,oikl->opqirs", fold, fold, self.weight).flatten(0, 2)
        assert self.bias is not None
        bias = self.bias.repeat_interleave(4)
        # [B 4C' H W]; pixel_shuffle puts each four channels at the four large pixels.
        small = functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), weight, bias)
        return self.with_reflected_edges(functional.pixel_shuffle(small, 2), x)

    def with_reflected_edges(self, out: Tensor, x: Tensor) -> Tensor:
        """Correct the outermost pixels, which replication of the small image got wrong.

        The published layer reflects the large image: two pixels out lies the second small pixel and
        not the first again. Only the outermost tap of the outermost pixel meets the difference.
        """
        w = self.weight
        for edge, inner, tap in ((0, 1, 0), (-1, -2, 4)):
            # [B C 1 2W]: what reflection would have had more at the top or the bottom.
            rows = (x[:, :, inner] - x[:, :, edge]).repeat_interleave(2, -1)[:, :, None]
            rows = functional.pad(rows, (2, 2, 0, 0), mode="reflect")
            out[:, :, edge] += functional.conv2d(rows, w[:, :, tap : tap + 1])[:, :, 0]
            # [B C 2H 1]: the same at the left or the right.
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
    """Apply `network` to images `[B C H W]` whose sides need not be multiples of its stride.

    They are padded by reflection at the right and the bottom, and the result is cropped again.
    """
    height, width = x.shape[-2:]
    if height % stride or width % stride:
        rows, columns = (reflected_indices(side, stride, x.device) for side in (height, width))
        x = x[:, :, rows][..., columns]
    return network(x)[..., :height, :width]


def reflected_indices(length: int, stride: int, device: torch.device) -> Tensor:
    """Indices `0 1 2 1 0 1`, for a length of 3 and a stride of 6; int64 `[multiple of stride]`.

    Back and forth as often as it takes: `functional.pad` reflects once only, which is too little
    for deep networks and small images.
    """
    period = max(2 * (length - 1), 1)
    place = torch.arange(length + -length % stride, device=device) % period
    return torch.minimum(place, period - place) if length > 1 else place


def add_noise_to_flat(x: Tensor) -> Tensor:
    """Training images `[B C H W]` in [-1, 1]; flat ones get noise of standard deviation `FLAT`.

    Where nothing varies an instance norm multiplies gradients by 1 / sqrt(1e-5) = 316. In a chain
    of twenty they overflow, and one empty slice would turn all weights into NaN.
    """
    flat = x.std(dim=(1, 2, 3), keepdim=True) < FLAT
    return torch.where(flat, x + FLAT * torch.randn_like(x), x)


def scale_gradient(x: Tensor, share: float) -> Tensor:
    """The same values, of any shape; only `share` of the gradient passes."""
    return x if share == 1 else share * x + (1 - share) * x.detach()


def init_weights(network: nn.Module, std: float = 0.02) -> None:
    """Initialize in place as CycleGAN, pix2pix and their descendants do.

    Weights of convolutions N(0, 0.02), gains of batch normalization N(1, 0.02), biases 0.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, std)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


class MeanStyle(nn.Module):
    """A running mean of style codes: plain over the first `MEAN_STEPS`, exponential from then on.

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
        # Counted no further than `MEAN_STEPS`: weights are released in half precision.
        self.steps.add_(1).clamp_(max=MEAN_STEPS)
        self.value.lerp_(styles.detach().float().mean(0), 1 / self.steps)

    def expand(self, count: int) -> Tensor:
        """The mean, for `count` slices, `[count S]`."""
        return self.value.expand(count, -1)
