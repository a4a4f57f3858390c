"""The artifact disentanglement network: encoders, generators and discriminators.

Source: Liao et al., "Artifact Disentanglement Network for Unsupervised Metal Artifact Reduction"
(MICCAI 2019), Figures 1 and 5 to 7; kernel sizes, normalisation and slopes as in the authors'
released code, which is what the published weights belong to. Images are `[B 1 H W]` in the
networks' range [-1, 1] (`unmetal.units.mu_to_network`); H and W are multiples of `stride`.

Every convolution of the generator is followed by a normalisation over the whole slice, so the
generator is blind to a positive affine change of its input: absolute attenuation is inferred from
the slice's own histogram. Never feed it patches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Architecture:
    """How wide and deep an ADN is; the defaults are the paper's."""

    width: int = 64
    """Channels at full resolution; they double at every halving of the image."""

    downs: int = 2
    """How often the encoders halve the image."""

    residuals: int = 4
    """Residual blocks at the lowest resolution, in each encoder and in each generator."""

    critic_width: int = 64
    """Channels of the discriminators' first layer."""

    @property
    def stride(self) -> int:
        """Image sides must be multiples of this number of pixels."""
        return 2**self.downs

    @property
    def channels(self) -> list[int]:
        """Channels per resolution, finest first: 64, 128, 256 in the paper."""
        return [self.width * 2**level for level in range(self.downs + 1)]


class Residual(nn.Module):
    """RB of Figure 5b: `x + body(x)`, nothing after the sum."""

    def __init__(self, channels: int, activation: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(channels, channels, 3, norm=instance_norm(channels), activation=activation),
            convolution(channels, channels, 3, norm=instance_norm(channels)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B C H W]` to the same shape."""
        return x + self.body(x)


class Encoder(nn.Module):
    """E_I or E_Ia (Figure 7a): an image to its content code."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        deepest = architecture.channels[-1]
        self.down = nn.Sequential(*halvings(architecture))
        self.residual = nn.Sequential(
            *(Residual(deepest, nn.ReLU()) for _ in range(architecture.residuals))
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B 1 H W]` to `[B 256 H/4 W/4]` (width 64)."""
        return self.residual(self.down(x))


class ArtifactEncoder(nn.Module):
    """E_a (Figure 7c): an image to its artifact code, one feature map per resolution.

    The released network also runs four residual blocks here whose output nothing uses: 4,720,640
    dead parameters and a fifth of a training step's arithmetic. They are not here.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.down = nn.ModuleList(halvings(architecture))

    def forward(self, x: Tensor) -> list[Tensor]:
        """`[B 1 H W]` to `[B 256 H/4 W/4]`, `[B 128 H/2 W/2]`, `[B 64 H W]`: deepest first."""
        code = []
        for layer in self.down:
            x = layer(x)
            code.append(x)
        return code[::-1]


class Decoder(nn.Module):
    """G_I (Figure 7b), or with `merges` G_Ia (Figure 7d): a content code to an image."""

    def __init__(self, architecture: Architecture, merges: bool = False) -> None:
        super().__init__()
        *_, deepest = channels = architecture.channels
        coarse_to_fine = channels[::-1]
        self.residual = nn.Sequential(
            *(Residual(deepest, nn.LeakyReLU(0.2)) for _ in range(architecture.residuals))
        )
        self.doublings = nn.ModuleList([doubling(c, c // 2) for c in coarse_to_fine[:-1]])
        self.to_image = nn.Sequential(ToOneChannel(architecture.width, 7), nn.Tanh())
        self.merges = nn.ModuleList(
            [nn.Conv2d(2 * c, c, 1) for c in coarse_to_fine] if merges else []
        )

    def forward(self, code: Tensor, artifact: Sequence[Tensor] | None = None) -> Tensor:
        """A content code and perhaps `ArtifactEncoder`'s code to `[B 1 H W]` in [-1, 1]."""
        x = self.residual(code)
        for level, doubling in enumerate(self.doublings):
            x = doubling(self.merged(x, artifact, level))
        x = self.merged(x, artifact, -1)
        # In bfloat16 the image itself would be rounded to steps of 2 to 10 HU.
        with torch.autocast(x.device.type, enabled=False):
            return self.to_image(x.float())

    def merged(self, x: Tensor, artifact: Sequence[Tensor] | None, level: int) -> Tensor:
        """MB of Figure 5c, where there is an artifact to merge; `[B C H W]` to the same shape."""
        if artifact is None:
            return x
        return self.merges[level](torch.cat([x, artifact[level]], dim=1))


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


class Doubling(nn.Conv2d):
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


class Generator(nn.Module):
    """Everything of ADN but the discriminators: E_Ia, E_I, E_a, G_I and G_Ia of Figure 1."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.encode_affected = Encoder(architecture)
        self.encode_clean = Encoder(architecture)
        self.encode_artifact = ArtifactEncoder(architecture)
        self.decode_clean = Decoder(architecture)
        self.decode_affected = Decoder(architecture, merges=True)
        # The released code makes one generator as a copy of the other; they part while training.
        for part in ("residual", "doublings", "to_image"):
            twin = self.decode_clean.get_submodule(part).state_dict()
            self.decode_affected.get_submodule(part).load_state_dict(twin)

    def split(self, x: Tensor, artifact: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """An affected slice taken apart: itself put together again, and itself without artifact.

        `artifact` is the artifact code of `x`, where it has been computed before.
        """
        content, artifact = self.encode_affected(x), artifact or self.encode_artifact(x)
        return self.decode_affected(content, artifact), self.decode_clean(content)

    def merge(
        self, x: Tensor, y: Tensor, artifact: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """A clean slice `y` given the artifact of `x`, and `y` itself put together again."""
        content, artifact = self.encode_clean(y), artifact or self.encode_artifact(x)
        return self.decode_affected(content, artifact), self.decode_clean(content)

    def clean(self, x: Tensor) -> Tensor:
        """An affected slice without its artifact: all that is needed once training is over."""
        return self.decode_clean(self.encode_affected(x))


class Critic(nn.Sequential):
    """D_I or D_Ia (Figure 6): a 34-pixel PatchGAN, `[B 1 256 256]` to raw scores `[B 1 62 62]`."""

    def __init__(self, width: int = 64) -> None:
        super().__init__(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            instance_norm(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 4, padding=1),
            instance_norm(4 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 4, padding=1),
        )


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    stride: int = 1,
    norm: nn.Module | None = None,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """CB of Figure 5a: reflection padding and convolution, normalisation, activation."""
    padding = (kernel - 1) // 2
    layers: list[nn.Module | None] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, padding_mode="reflect"),
        norm,
        activation,
    ]
    return nn.Sequential(*(layer for layer in layers if layer is not None))


def halvings(architecture: Architecture) -> list[nn.Sequential]:
    """The first layers of every encoder: 7x7 at full resolution, then 4x4 with stride 2."""
    first, *deeper = architecture.channels
    return [
        convolution(1, first, 7, norm=instance_norm(first), activation=nn.ReLU()),
        *(
            convolution(c // 2, c, 4, stride=2, norm=instance_norm(c), activation=nn.ReLU())
            for c in deeper
        ),
    ]


def doubling(inputs: int, outputs: int) -> nn.Sequential:
    """One step up in a generator: nearest neighbour, 5x5, layer normalisation."""
    return nn.Sequential(Doubling(inputs, outputs), layer_norm(outputs), nn.LeakyReLU(0.2))


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
