"""MUNIT: Huang, Liu, Belongie and Kautz, "Multimodal Unsupervised Image-to-Image Translation".

ECCV 2018, arXiv 1804.04732. A slice is a content, which affected and clean slices share, and a
style, which they do not: reducing artifacts is decoding the content of an affected slice as a clean
one. Losses, weights and the order of the turns are those of the released code. The perceptual loss
is left out: it needs the weights of a network for photographs, and its default weight is nought.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from unmetal.methods.adversarial import multiscale_discriminator_loss, l1, real_at_scales
from unmetal.methods.method import Losses, Method, OptimizerStep
from unmetal.nets.blocks import add_noise_to_flat, pad_to_stride, init_weights
from unmetal.nets.munit import StyleEncoder, Translator
from unmetal.nets.patchgan import MultiScale
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu

STRIDE = 4
"""Sides of slices are brought to multiples of this number of pixels."""


@dataclass(frozen=True)
class Config:
    """What is learned and how much each loss counts; the released code's by default."""

    width: int = 64
    """Channels of the encoders' first layer."""

    discriminator_width: int = 64
    """Channels of the discriminators' first layer."""

    scales: int = 3
    """Resolutions at which slices are judged; 2 where slices have 64 pixels."""

    style_size: int = 8
    """Numbers in a style code."""

    size: int = 256
    """Side in pixels of the slices it is trained on, which the body fills."""

    adv: float = 1.0
    """Weight of the adversarial losses."""

    recon: float = 10.0
    """Weight of a slice's own content and style giving the slice again."""

    style_recon: float = 1.0
    """Weight of a translated slice showing the style it was made with."""

    content_recon: float = 1.0
    """Weight of a translated slice showing the content it was made of."""

    cycle: float = 10.0
    """Weight of there and back: 10 in the released configurations for domains as near to each other
    as these, and advised for them by the authors; nought in those for distant ones."""

    style: Literal["mean", "random"] = "mean"
    """The style of what `reduce` gives. `random` is the paper's, N(0, I) anew for each slice: as
    many answers as draws. `mean` is one answer, in the mean style of clean training slices."""


class MUNIT(Method):
    """Contents and styles, trained on affected and clean slices without pairs.

    The paper's auto-encoders belong to domains; the players here to directions, so that what
    `reduce` needs is one player. The same networks are trained by the same losses, and since
    players move together and Adam treats every weight by itself, in the same steps.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = config or Config()
        self.input_size = c.size
        domains = ("affected", "clean")
        self.generator = Translator(c.width, c.style_size)  # encodes affected, decodes clean slices
        self.inverse = Translator(c.width, c.style_size)  # encodes clean, decodes affected slices
        self.style = nn.ModuleDict({d: StyleEncoder(c.width, c.style_size) for d in domains})
        self.discriminator = nn.ModuleDict(
            {d: MultiScale(c.discriminator_width, c.scales) for d in domains}
        )
        init_weights(self.discriminator)

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm, within the window of `units`."""
        x, count = mu_to_network(scan.image), len(scan.image)
        if self.config.style == "mean":
            style = self.generator.mean_style.repeated(count)
        else:
            style = self.random_style(x)

        def clean(x: Tensor) -> Tensor:
            return self.generator.decode(self.generator.encode(x), style)

        return network_to_mu(pad_to_stride(clean, x, STRIDE).float())

    def random_style(self, x: Tensor) -> Tensor:
        """N(0, I) for each slice of `[B 1 H W]`, `[B S]`."""
        return torch.randn(len(x), self.config.style_size, device=x.device)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One turn of the critics, one of all else against the critics as they are then.

        Styles are drawn for each turn anew.
        """
        assert scan.other is not None
        x, y = (
            add_noise_to_flat(mu_to_network(scan.image)),
            add_noise_to_flat(mu_to_network(scan.other)),
        )
        yield "discriminator", self.judged(x, y)
        yield ("generator", "inverse", "style"), self.translated(x, y)

    def judged(self, x: Tensor, y: Tensor) -> Losses:
        """The critics' losses on affected and clean slices, `[B 1 H W]` each."""
        with torch.no_grad():
            x_clean = self.generator.decode(self.generator.encode(x), self.random_style(y))
            y_affected = self.inverse.decode(self.inverse.encode(y), self.random_style(x))
        return {
            "clean": multiscale_discriminator_loss(self.discriminator["clean"], x_clean, y),
            "affected": multiscale_discriminator_loss(
                self.discriminator["affected"], y_affected, x
            ),
        }

    def translated(self, x: Tensor, y: Tensor) -> Losses:
        """The losses of all but the critics, on affected and clean slices, `[B 1 H W]` each."""
        to_clean, to_affected, w = self.generator, self.inverse, self.config
        style_of_clean, style_of_affected = self.style["clean"], self.style["affected"]
        x_content, y_content = to_clean.encode(x), to_affected.encode(y)
        x_style, y_style = style_of_affected(x), style_of_clean(y)
        to_clean.mean_style.update(y_style)
        to_affected.mean_style.update(x_style)
        affected_style, clean_style = self.random_style(x), self.random_style(y)
        x_clean = to_clean.decode(x_content, clean_style)
        y_affected = to_affected.decode(y_content, affected_style)
        x_back, y_back = to_affected.encode(x_clean), to_clean.encode(y_affected)
        losses = {
            "adv": real_at_scales(self.discriminator["clean"](x_clean))
            + real_at_scales(self.discriminator["affected"](y_affected)),
            "recon": l1(to_affected.decode(x_content, x_style), x)
            + l1(to_clean.decode(y_content, y_style), y),
            "style_recon": l1(style_of_clean(x_clean), clean_style)
            + l1(style_of_affected(y_affected), affected_style),
            "content_recon": l1(x_back, x_content) + l1(y_back, y_content),
        }
        if w.cycle:
            losses["cycle"] = l1(to_affected.decode(x_back, x_style), x) + l1(
                to_clean.decode(y_back, y_style), y
            )
        weights = {name: getattr(w, name) for name in losses}
        return {name: weights[name] * losses[name] for name in losses if weights[name]}
