"""DRIT: Lee et al., "Diverse Image-to-Image Translation via Disentangled Representations".

ECCV 2018, arXiv 1808.00948. A slice is a content, in a space that affected and clean slices share
and that a discriminator of contents watches over, and an attribute of its domain: reducing
artifacts is giving the content of an affected slice the attribute of a clean one. Losses, weights
and schedule are those of the authors' code of 2018, without its crops of 216 of 256 pixels: the
share of air, which the norms see, would differ from slice to slice. Where the paper draws the
attribute of each result from N(0, I), `reduce` takes the mean of clean training slices: one answer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from unmetal.methods.adversarial import (
    FAKE,
    REAL,
    gan_loss,
    l1,
    multiscale_discriminator_loss,
    weighted,
)
from unmetal.methods.method import ImageConfig, ImageMethod, Losses, OptimizerStep
from unmetal.nets.drit import (
    AttributeEncoder,
    Code,
    ContentDiscriminator,
    Domain,
    Generator,
    init_normal,
)
from unmetal.nets.patchgan import MultiScale
from unmetal.scan import Scan

GROUPS = 3
"""Groups of slices in a batch, of which the last trains all players, the others the discriminator
of contents alone. Source: `d_iter` of the released code."""

UNDECIDED = 0.5
"""Target of `gan_loss` for contents that do not tell their domain."""


@dataclass(frozen=True)
class Config(ImageConfig):
    """The networks and the weights of the losses; the released code's of 2018 by default."""

    width: int = 64
    """Channels of the encoders' first layer."""

    discriminator_width: int = 64
    """Channels of the image discriminators' first layer."""

    scales: int = 3
    """Resolutions at which slices are judged; 2 where slices have 64 pixels."""

    content_layers: int = 3
    """7x7 convolutions of the content discriminator: 3 for 256 pixels, 2 for 128, 1 for 64."""

    attribute_size: int = 8
    """Numbers in an attribute."""

    adv: float = 1.0
    """Weight of the adversarial losses on images."""

    adv_content: float = 1.0
    """Weight of the content adversarial loss, equation (2): contents do not tell their domain."""

    recon: float = 10.0
    """Weight of self-reconstruction: a slice's own content and attribute give the slice again."""

    cycle: float = 10.0
    """Weight of cross-cycle consistency, equation (5): attributes swapped and swapped back."""

    kl_attribute: float = 0.01
    """Weight of the Kullback-Leibler divergence of attributes from N(0, I)."""

    square_content: float = 0.01
    """Weight of the mean square of contents."""

    adv_random: float = 1.0
    """Weight of the adversarial losses on slices with random attributes."""

    latent: float = 10.0
    """Weight of latent regression: a translated slice shows the random attribute it was given."""


class DRIT(ImageMethod):
    """Contents and attributes, trained on affected and clean slices without pairs."""

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = config or Config()
        self.input_size = c.size
        self.stride = 4
        self.generator = Generator(c.width, c.attribute_size)
        domains = ("affected", "clean")
        self.attribute = nn.ModuleDict(
            {domain: AttributeEncoder(c.width, c.attribute_size) for domain in domains}
        )
        # Images with random attributes have discriminators of their own.
        images = (*domains, "random_affected", "random_clean")
        self.discriminator = nn.ModuleDict(
            {name: MultiScale(c.discriminator_width, c.scales, slope=0.01) for name in images}
        )
        init_normal(self.discriminator)
        self.content_discriminator = ContentDiscriminator(c.width, c.content_layers)

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones of the mean attribute."""
        g, attribute = self.generator, self.generator.mean_attribute.expand(len(x))
        return g.slice(Code(g.content(x, "affected"), attribute), "clean")

    def random_attribute(self, x: Tensor) -> Tensor:
        """N(0, I) for each slice of `[B 1 H W]`, `[B A]`."""
        return torch.randn(len(x), self.config.attribute_size, device=x.device)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """The content discriminator alone, group after group; on the last group all players.

        The released code reads batches of two: the first slice is translated, the second is the
        real one beside random translations; of three batches two train the content discriminator
        alone. So a batch of 6 here is one of its cycles. Larger ones have larger groups; smaller
        ones fewer groups, and in a batch of one the slice is both.
        """
        # x: affected, y: clean and of another patient.
        x, y = self.unpaired(scan)
        *early, last = zip(in_groups(x), in_groups(y), strict=True)
        for x_group, y_group in early:
            with torch.no_grad():
                x_content = self.generator.content(in_halves(x_group)[0], "affected")
                y_content = self.generator.content(in_halves(y_group)[0], "clean")
            yield "content_discriminator", self.content_discriminator_loss(x_content, y_content)
        yield from self.all_players(*last)

    def all_players(self, x_group: Tensor, y_group: Tensor) -> Iterator[OptimizerStep]:
        """One step of each discriminator, then two of the generator, the first with the attributes.

        The released code takes the second step's gradients through weights that the first has
        changed, which PyTorch has refused since 1.5. Here random translations are made anew.
        """
        (x, x_beside), (y, y_beside) = in_halves(x_group), in_halves(y_group)
        # Equation (1): contents [B C H/4 W/4] and attributes [B A] of both slices.
        x_attribute, y_attribute = self.attribute["affected"](x), self.attribute["clean"](y)
        self.generator.mean_attribute.update(y_attribute.mean)
        x_code = Code(self.generator.content(x, "affected"), x_attribute.rsample())
        y_code = Code(self.generator.content(y, "clean"), y_attribute.rsample())
        # Equation (3): attributes swapped; then one random attribute for both.
        x_clean, y_affected = self.generator.swap(x_code, y_code)
        z = self.random_attribute(x)
        with torch.no_grad():
            x_random, y_random = self.generator.swap(
                x_code._replace(attribute=z), y_code._replace(attribute=z)
            )
        images = {
            "clean": (x_clean, y),
            "affected": (y_affected, x),
            "random_clean": (x_random, y_beside),
            "random_affected": (y_random, x_beside),
        }
        image_losses = {
            name: multiscale_discriminator_loss(self.discriminator[name], *pair, "vanilla")
            for name, pair in images.items()
        }
        yield "discriminator", image_losses
        content_losses = self.content_discriminator_loss(x_code.content, y_code.content)
        yield "content_discriminator", content_losses
        # Equation (6), in the released code's two parts.
        losses = self.swap_losses(x, y, x_code, y_code, x_clean, y_affected)
        losses["kl_attribute"] = x_attribute.divergence() + y_attribute.divergence()
        yield ("generator", "attribute"), weighted(losses, self.config)
        yield "generator", weighted(self.random_losses(x, y, z), self.config)

    def code(self, x: Tensor, domain: Domain) -> Code:
        """Content and sampled attribute of slices `[B 1 H W]` of a domain."""
        return Code(self.generator.content(x, domain), self.attribute[domain](x).rsample())

    def generator_loss(self, name: str, fakes: Tensor) -> Tensor:
        """The generator's adversarial loss, a scalar, against the image discriminator `name`."""
        return gan_loss(self.discriminator[name](fakes), REAL, "vanilla")

    def content_discriminator_loss(self, x_content: Tensor, y_content: Tensor) -> Losses:
        """Equation (2), the discriminator's part: contents of clean slices are the real ones."""
        of_x = self.content_discriminator(x_content.detach())
        of_y = self.content_discriminator(y_content.detach())
        return {"domain": gan_loss(of_x, FAKE, "vanilla") + gan_loss(of_y, REAL, "vanilla")}

    def swap_losses(
        self, x: Tensor, y: Tensor, x_code: Code, y_code: Code, x_clean: Tensor, y_affected: Tensor
    ) -> dict[str, Tensor]:
        """The losses of slices `[B 1 H W]` that swapped their attributes, and swap them back."""
        generator = self.generator
        x_same, y_same = generator.slice(x_code, "affected"), generator.slice(y_code, "clean")
        # Equation (4): the codes of the swapped slices, swapped again.
        affected_code, clean_code = self.code(y_affected, "affected"), self.code(x_clean, "clean")
        y_back, x_back = generator.swap(affected_code, clean_code)
        of_x_content = self.content_discriminator(x_code.content)
        of_y_content = self.content_discriminator(y_code.content)
        return {
            "adv": self.generator_loss("clean", x_clean)
            + self.generator_loss("affected", y_affected),
            # Equation (2), the encoders' part.
            "adv_content": gan_loss(of_x_content, UNDECIDED, "vanilla")
            + gan_loss(of_y_content, UNDECIDED, "vanilla"),
            "recon": l1(x_same, x) + l1(y_same, y),
            # Equation (5).
            "cycle": l1(x_back, x) + l1(y_back, y),
            "square_content": x_code.content.float().square().mean()
            + y_code.content.float().square().mean(),
        }

    def random_losses(self, x: Tensor, y: Tensor, z: Tensor) -> dict[str, Tensor]:
        """The losses of slices `[B 1 H W]` made clean or affected by random attributes `[B A]`."""
        # Both get the same attribute: the clean one of x, the affected one of y.
        x_code = Code(self.generator.content(x, "affected"), z)
        y_code = Code(self.generator.content(y, "clean"), z)
        x_random, y_random = self.generator.swap(x_code, y_code)
        return {
            "adv_random": self.generator_loss("random_clean", x_random)
            + self.generator_loss("random_affected", y_random),
            "latent": l1(self.attribute["clean"](x_random).mean, z)
            + l1(self.attribute["affected"](y_random).mean, z),
        }


def in_groups(x: Tensor) -> Sequence[Tensor]:
    """`[B 1 H W]` in at most `GROUPS` parts of at least two slices."""
    return x.tensor_split(max(1, min(GROUPS, len(x) // 2)))


def in_halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """`[B 1 H W]` in two parts of equal size; both are `x` where there is but one slice."""
    half = max(1, len(x) // 2)
    return x[:half], x[-half:]
