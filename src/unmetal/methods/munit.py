"""MUNIT: Huang, Liu, Belongie and Kautz, "Multimodal Unsupervised Image-to-Image Translation".

ECCV 2018, arXiv 1804.04732. A slice is a content, which affected and clean slices share, and a
style, which they do not: reducing artifacts is decoding the content of an affected slice as a clean
one. Losses, weights and order of updates are those of the released code. Two things differ: the
perceptual loss is left out, which needs the weights of a network for photographs and whose default
weight is 0; and where the paper draws the style of each result from N(0, I), `reduce` takes the
mean style of clean training slices: one answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from unmetal.methods.adversarial import REAL, gan_loss, l1, multiscale_discriminator_loss, weighted
from unmetal.methods.method import ImageConfig, ImageMethod, Losses, OptimizerStep
from unmetal.nets.blocks import init_weights
from unmetal.nets.munit import StyleEncoder, Translator
from unmetal.nets.patchgan import MultiScale
from unmetal.scan import Scan


@dataclass(frozen=True)
class Config(ImageConfig):
    """The networks and the weights of the losses; the released code's by default."""

    width: int = 64
    """Channels of the encoders' first layer."""

    discriminator_width: int = 64
    """Channels of the discriminators' first layer."""

    scales: int = 3
    """Resolutions at which slices are judged; 2 where slices have 64 pixels."""

    style_size: int = 8
    """Numbers in a style code."""

    adv: float = 1.0
    """Weight of the adversarial losses, equation (4)."""

    recon: float = 10.0
    """Weight of image reconstruction, equation (1)."""

    style_recon: float = 1.0
    """Weight of style reconstruction, equation (3)."""

    content_recon: float = 1.0
    """Weight of content reconstruction, equation (2)."""

    cycle: float = 10.0
    """Weight of style-augmented cycle consistency (section 5.1): 10 in the released configurations
    for domains as near to each other as these; 0 in those for distant ones."""


class MUNIT(ImageMethod):
    """Contents and styles, trained on affected and clean slices without pairs.

    The paper's auto-encoders belong to domains; the players here to directions, so that what
    `reduce` needs is one player. The same networks are trained by the same losses, and since
    players are updated together and Adam treats every weight by itself, by the same steps.
    """

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = config or Config()
        self.input_size = c.size
        self.stride = 4
        domains = ("affected", "clean")
        self.generator = Translator(c.width, c.style_size)  # encodes affected, decodes clean slices
        self.inverse = Translator(c.width, c.style_size)  # encodes clean, decodes affected slices
        self.style = nn.ModuleDict({d: StyleEncoder(c.width, c.style_size) for d in domains})
        self.discriminator = nn.ModuleDict(
            {d: MultiScale(c.discriminator_width, c.scales) for d in domains}
        )
        init_weights(self.discriminator)

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones of the mean style."""
        g, style = self.generator, self.generator.mean_style.expand(len(x))
        return g.decode(g.encode(x), style)

    def random_style(self, x: Tensor) -> Tensor:
        """N(0, I) for each slice of `[B 1 H W]`, `[B S]`."""
        return torch.randn(len(x), self.config.style_size, device=x.device)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step of the discriminators, one of all else against their new weights.

        Styles are drawn for each step anew.
        """
        # x: affected, y: clean and of another patient.
        x, y = self.unpaired(scan)
        yield "discriminator", self.discriminator_losses(x, y)
        yield ("generator", "inverse", "style"), self.generator_losses(x, y)

    def discriminator_losses(self, x: Tensor, y: Tensor) -> Losses:
        """Equation (4), the discriminators' part, of affected and clean slices `[B 1 H W]`."""
        with torch.no_grad():
            x_clean = self.generator.decode(self.generator.encode(x), self.random_style(y))
            y_affected = self.inverse.decode(self.inverse.encode(y), self.random_style(x))
        discriminator = self.discriminator
        return {
            "clean": multiscale_discriminator_loss(discriminator["clean"], x_clean, y),
            "affected": multiscale_discriminator_loss(discriminator["affected"], y_affected, x),
        }

    def generator_losses(self, x: Tensor, y: Tensor) -> Losses:
        """Equation (5): the losses of all but the discriminators, on slices `[B 1 H W]`."""
        to_clean, to_affected, w = self.generator, self.inverse, self.config
        style_of_clean, style_of_affected = self.style["clean"], self.style["affected"]
        # Contents [B C H/4 W/4] and styles [B S] of both slices.
        x_content, y_content = to_clean.encode(x), to_affected.encode(y)
        x_style, y_style = style_of_affected(x), style_of_clean(y)
        to_clean.mean_style.update(y_style)
        to_affected.mean_style.update(x_style)
        # Translations with random styles, and what is encoded of them again.
        affected_style, clean_style = self.random_style(x), self.random_style(y)
        x_clean = to_clean.decode(x_content, clean_style)
        y_affected = to_affected.decode(y_content, affected_style)
        x_back, y_back = to_affected.encode(x_clean), to_clean.encode(y_affected)
        losses = {
            # Equation (4), the generators' part.
            "adv": gan_loss(self.discriminator["clean"](x_clean), REAL)
            + gan_loss(self.discriminator["affected"](y_affected), REAL),
            # Equation (1).
            "recon": l1(to_affected.decode(x_content, x_style), x)
            + l1(to_clean.decode(y_content, y_style), y),
            # Equation (3).
            "style_recon": l1(style_of_clean(x_clean), clean_style)
            + l1(style_of_affected(y_affected), affected_style),
            # Equation (2); gradients reach the contents that are aimed at, too.
            "content_recon": l1(x_back, x_content) + l1(y_back, y_content),
        }
        if w.cycle:
            losses["cycle"] = l1(to_affected.decode(x_back, x_style), x) + l1(
                to_clean.decode(y_back, y_style), y
            )
        return weighted(losses, w)
