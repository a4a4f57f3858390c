"""The artifact disentanglement network: encoders and generators.

Source: Liao et al., "Artifact Disentanglement Network for Unsupervised Metal Artifact Reduction"
(MICCAI 2019), Figures 1, 5 and 7; kernel sizes, normalization and slopes as in the authors'
released code, which is what the published weights belong to. Images are `[B 1 H W]` in the
networks' range [-1, 1] (`unmetal.units.mu_to_network`); H and W are multiples of `stride`.

Every convolution of the generator is followed by a normalization over the whole slice, so the
generator is blind to a positive affine change of its input: absolute attenuation is inferred from
the slice's own histogram. Never feed it patches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from unmetal.nets.blocks import (
    InFloat32,
    Residual,
    ToOneChannel,
    UpsampleConv,
    convolution,
    layer_norm,
    scale_gradient,
)


@dataclass(frozen=True)
class Architecture:
    """How wide and deep an ADN is; the defaults are the paper's."""

    width: int = 64
    """Channels at full resolution; they double at every halving of the image."""

    downs: int = 2
    """How often the encoders halve the image."""

    residuals: int = 4
    """Residual blocks at the lowest resolution, in each encoder and in each generator."""

    discriminator_width: int = 64
    """Channels of the discriminators' first layer."""

    @property
    def stride(self) -> int:
        """Image sides must be multiples of this number of pixels."""
        return 2**self.downs

    @property
    def channels(self) -> list[int]:
        """Channels per resolution, finest first: 64, 128, 256 in the paper."""
        return [self.width * 2**level for level in range(self.downs + 1)]


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
        # 64, 128, 256 channels; reversed, since the decoder merges the deepest first.
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
        self.to_image = InFloat32(ToOneChannel(architecture.width, 7), nn.Tanh())
        # MB of Figure 5c: image and artifact features side by side, 2C channels to C.
        self.merges = nn.ModuleList(
            [nn.Conv2d(2 * c, c, 1) for c in coarse_to_fine] if merges else []
        )

    def forward(self, code: Tensor, artifact: Sequence[Tensor] | None = None) -> Tensor:
        """A content code and perhaps `ArtifactEncoder`'s code to `[B 1 H W]` in [-1, 1]."""
        x = self.residual(code)
        # [B 256 H/4 W/4] to [B 128 H/2 W/2] to [B 64 H W], each merged before it is enlarged.
        for level, doubling in enumerate(self.doublings):
            x = doubling(self.merged(x, artifact, level))
        return self.to_image(self.merged(x, artifact, -1))

    def merged(self, x: Tensor, artifact: Sequence[Tensor] | None, level: int) -> Tensor:
        """`x`, `[B C H W]`, merged with the artifact code of its resolution, if any; same shape."""
        if artifact is None:
            return x
        return self.merges[level](torch.cat([x, artifact[level]], dim=1))


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
        # The released code makes one decoder as a copy of the other; training lets them differ.
        for part in ("residual", "doublings", "to_image"):
            twin = self.decode_clean.get_submodule(part).state_dict()
            self.decode_affected.get_submodule(part).load_state_dict(twin)

    def split(
        self, x: Tensor, artifact: list[Tensor] | None = None, pull: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """An affected slice `[B 1 H W]` reconstructed, and the same slice without artifact.

        `artifact` is the artifact code of `x`, where it has been computed before; `pull` the share
        of the reconstruction's gradient that reaches the content.
        """
        content, artifact = self.encode_affected(x), artifact or self.encode_artifact(x)
        again = self.decode_affected(scale_gradient(content, pull), artifact)
        return again, self.decode_clean(content)

    def merge(
        self, x: Tensor, y: Tensor, artifact: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """A clean slice `y` `[B 1 H W]` given the artifact of `x`, and `y` reconstructed."""
        content, artifact = self.encode_clean(y), artifact or self.encode_artifact(x)
        return self.decode_affected(content, artifact), self.decode_clean(content)

    def clean(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` without artifact: all that is needed after training."""
        return self.decode_clean(self.encode_affected(x))


def halvings(architecture: Architecture) -> list[nn.Sequential]:
    """The first layers of every encoder: 7x7 at full resolution, then 4x4 with stride 2."""
    relu, (first, *deeper) = nn.ReLU(), architecture.channels
    # [B 1 H W] to 64 channels, then 128 at H/2, 256 at H/4.
    return [
        convolution(1, first, 7, norm=nn.InstanceNorm2d(first), activation=relu),
        *(
            convolution(c // 2, c, 4, stride=2, norm=nn.InstanceNorm2d(c), activation=relu)
            for c in deeper
        ),
    ]


def doubling(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size in a decoder: nearest neighbor, 5x5 convolution, layer normalization."""
    return nn.Sequential(UpsampleConv(inputs, outputs), layer_norm(outputs), nn.LeakyReLU(0.2))
