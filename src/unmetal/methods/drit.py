"""DRIT: Lee et al., "Diverse Image-to-Image Translation via Disentangled Representations".

ECCV 2018, arXiv 1808.00948. A slice is a content in a space that affected and clean slices share,
which a critic of contents watches over, and an attribute: reducing artifacts is giving the content
of an affected slice the attribute of a clean one. Losses, weights and schedule are those of the
authors' code of 2018; mode seeking, which the same repository has had since 2019, is left off.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from unmetal.methods.adversarial import (
    fake,
    multiscale_discriminator_loss,
    l1,
    real,
    real_at_scales,
    unsure,
)
from unmetal.methods.method import Losses, Method, OptimizerStep
from unmetal.nets.blocks import add_noise_to_flat, pad_to_stride
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
from unmetal.units import mu_to_network, network_to_mu

STRIDE = 4
"""Sides of slices are brought to multiples of this number of pixels."""

GROUPS = 3
"""Groups of slices in a batch, of which the last teaches all players, the others the critic of
contents alone. Source: `d_iter` of the released code."""


@dataclass(frozen=True)
class Config:
    """What is learned and how much each loss counts; the released code's of 2018 by default."""

    width: int = 64
    """Channels of the encoders' first layer."""

    discriminator_width: int = 64
    """Channels of the image discriminators' first layer."""

    scales: int = 3
    """Resolutions at which slices are judged; 2 where slices have 64 pixels."""

    content_layers: int = 3
    """7x7 convolutions of the critic of contents: 3 for 216 or 256 pixels, 2 for 128, 1 for 64."""

    attribute_size: int = 8
    """Numbers in an attribute."""

    size: int = 256
    """Side in pixels of the slices it is trained on, which the body fills. The released code crops
    216 of 256: the share of air, which the norms see, would then differ from slice to slice."""

    adv: float = 1.0
    """Weight of the adversarial losses on images."""

    adv_content: float = 1.0
    """Weight of contents not telling their domain."""

    recon: float = 10.0
    """Weight of a slice's own content and attribute giving the slice again."""

    cycle: float = 10.0
    """Weight of contents swapped and swapped back giving the slices again."""

    kl_attribute: float = 0.01
    """Weight of the divergence of attributes from N(0, I)."""

    square_content: float = 0.01
    """Weight of the mean square of contents."""

    adv_random: float = 1.0
    """Weight of the adversarial losses on slices with random attributes."""

    latent: float = 10.0
    """Weight of a translated slice showing the random attribute it was made with."""

    mode_seeking: float = 0.0
    """Weight of two random attributes giving different slices; 1 is the repository's since 2019."""

    style: Literal["mean", "random"] = "mean"
    """The attribute of what `reduce` gives. `random` is the paper's, N(0, I) anew for each slice:
    as many answers as draws. `mean` is one answer, by the mean attribute of clean training slices.
    """


class DRIT(Method):
    """Contents and attributes, trained on affected and clean slices without pairs."""

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = c = config or Config()
        self.input_size = c.size
        self.generator = Generator(c.width, c.attribute_size)
        domains = ("affected", "clean")
        self.attribute = nn.ModuleDict(
            {domain: AttributeEncoder(c.width, c.attribute_size) for domain in domains}
        )
        judged = (*domains, "random_affected", "random_clean")
        self.discriminator = nn.ModuleDict(
            {images: MultiScale(c.discriminator_width, c.scales, slope=0.01) for images in judged}
        )
        init_normal(self.discriminator)
        self.content_discriminator = ContentDiscriminator(c.width, c.content_layers)

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm, within the window of `units`."""
        x, generator = mu_to_network(scan.image), self.generator
        if self.config.style == "mean":
            attribute = generator.mean_attribute.repeated(len(x))
        else:
            attribute = self.random_attribute(x)

        def clean(x: Tensor) -> Tensor:
            return generator.slice(Code(generator.content(x, "affected"), attribute), "clean")

        return network_to_mu(pad_to_stride(clean, x, STRIDE).float())

    def random_attribute(self, x: Tensor) -> Tensor:
        """N(0, I) for each slice of `[B 1 H W]`, `[B A]`."""
        return torch.randn(len(x), self.config.attribute_size, device=x.device)

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """The critic of contents alone, group after group; on the last group all players.

        The released code reads batches of two: the first slice is translated, the second is what
        random translations are judged beside; of three batches two move the critic of contents
        alone. So a batch of 6 here is one of its cycles. Larger ones have larger groups; smaller
        ones fewer groups, and a batch of one is judged beside itself.
        """
        assert scan.other is not None
        x, y = (
            add_noise_to_flat(mu_to_network(scan.image)),
            add_noise_to_flat(mu_to_network(scan.other)),
        )
        *early, last = zip(in_groups(x), in_groups(y), strict=True)
        for x_group, y_group in early:
            with torch.no_grad():
                x_content = self.generator.content(in_halves(x_group)[0], "affected")
                y_content = self.generator.content(in_halves(y_group)[0], "clean")
            yield "content_discriminator", self.judged_contents(x_content, y_content)
        yield from self.all_players(*last)

    def all_players(self, x_group: Tensor, y_group: Tensor) -> Iterator[OptimizerStep]:
        """One turn of each critic, then two of the generator, the first along with the attributes.

        The released code takes the second turn's gradients through weights that the first has
        changed, which PyTorch has refused since 1.5. Here random translations are made anew.
        """
        (x, x_beside), (y, y_beside) = in_halves(x_group), in_halves(y_group)
        x_attribute, y_attribute = self.attribute["affected"](x), self.attribute["clean"](y)
        self.generator.mean_attribute.update(y_attribute.mean)
        x_code = Code(self.generator.content(x, "affected"), x_attribute.drawn())
        y_code = Code(self.generator.content(y, "clean"), y_attribute.drawn())
        x_clean, y_affected = self.generator.swap(x_code, y_code)
        draws = [self.random_attribute(x) for _ in range(2 if self.config.mode_seeking else 1)]
        with torch.no_grad():
            x_random, y_random = self.with_attributes(x_code.content, y_code.content, draws)
        yield (
            "discriminator",
            {
                "clean": self.judged("clean", [x_clean], y),
                "affected": self.judged("affected", [y_affected], x),
                "random_clean": self.judged("random_clean", x_random, y_beside),
                "random_affected": self.judged("random_affected", y_random, x_beside),
            },
        )
        yield "content_discriminator", self.judged_contents(x_code.content, y_code.content)
        losses = self.swap_losses(x, y, x_code, y_code, x_clean, y_affected)
        losses["kl_attribute"] = x_attribute.divergence() + y_attribute.divergence()
        yield ("generator", "attribute"), self.weighted(losses)
        yield "generator", self.weighted(self.random_losses(x, y, draws))

    def code(self, x: Tensor, domain: Domain) -> Code:
        """What slices `[B 1 H W]` of a domain are made of, the attribute drawn."""
        return Code(self.generator.content(x, domain), self.attribute[domain](x).drawn())

    def with_attributes(
        self, x_content: Tensor, y_content: Tensor, draws: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Affected slices made clean, and clean ones affected, `[B 1 H W]`, by each attribute."""
        pairs = [self.generator.swap(Code(x_content, z), Code(y_content, z)) for z in draws]
        return [clean for clean, _ in pairs], [spoilt for _, spoilt in pairs]

    def judged(self, discriminator: str, fakes: Sequence[Tensor], reals: Tensor) -> Tensor:
        """A critic's loss, a scalar, over some batches of fakes; `[B 1 H W]` all."""
        critic_of_images = self.discriminator[discriminator]
        losses = [
            multiscale_discriminator_loss(critic_of_images, some, reals, "log") for some in fakes
        ]
        return torch.stack(losses).sum()

    def believed(self, discriminator: str, fakes: Sequence[Tensor]) -> Tensor:
        """The loss, a scalar, of a critic not taking fakes `[B 1 H W]` for real ones."""
        return torch.stack(
            [real_at_scales(self.discriminator[discriminator](some), "log") for some in fakes]
        ).sum()

    def judged_contents(self, x_content: Tensor, y_content: Tensor) -> Losses:
        """The loss of the critic of contents, which takes those of clean slices for real."""
        said_of_x = self.content_discriminator(x_content.detach())
        said_of_y = self.content_discriminator(y_content.detach())
        return {"domain": fake(said_of_x, "log") + real(said_of_y, "log")}

    def swap_losses(
        self, x: Tensor, y: Tensor, x_code: Code, y_code: Code, x_clean: Tensor, y_affected: Tensor
    ) -> dict[str, Tensor]:
        """The losses of slices `[B 1 H W]` that swapped their attributes, and swap them back."""
        generator = self.generator
        x_same, y_same = generator.slice(x_code, "affected"), generator.slice(y_code, "clean")
        spoilt_code, clean_code = self.code(y_affected, "affected"), self.code(x_clean, "clean")
        y_back, x_back = generator.swap(spoilt_code, clean_code)
        return {
            "adv": self.believed("clean", [x_clean]) + self.believed("affected", [y_affected]),
            "adv_content": unsure(self.content_discriminator(x_code.content), "log")
            + unsure(self.content_discriminator(y_code.content), "log"),
            "recon": l1(x_same, x) + l1(y_same, y),
            "cycle": l1(x_back, x) + l1(y_back, y),
            "square_content": mean_square(x_code.content) + mean_square(y_code.content),
        }

    def random_losses(self, x: Tensor, y: Tensor, draws: Sequence[Tensor]) -> dict[str, Tensor]:
        """The losses of slices `[B 1 H W]` made clean or affected by random attributes `[B A]`."""
        x_content = self.generator.content(x, "affected")
        y_content = self.generator.content(y, "clean")
        x_random, y_random = self.with_attributes(x_content, y_content, draws)
        losses = {
            "adv_random": self.believed("random_clean", x_random)
            + self.believed("random_affected", y_random),
            "latent": l1(self.attribute["clean"](x_random[0]).mean, draws[0])
            + l1(self.attribute["affected"](y_random[0]).mean, draws[0]),
        }
        if self.config.mode_seeking:
            losses["mode_seeking"] = sameness(x_random, draws) + sameness(y_random, draws)
        return losses

    def weighted(self, losses: Mapping[str, Tensor]) -> Losses:
        """Each loss by the weight of its name; those of weight nought are left out, since even a
        gradient of zeros would let weight decay act."""
        weights = {name: getattr(self.config, name) for name in losses}
        return {name: weights[name] * losses[name] for name in losses if weights[name]}


def in_groups(x: Tensor) -> Sequence[Tensor]:
    """`[B 1 H W]` in at most `GROUPS` parts of at least two slices."""
    return x.tensor_split(max(1, min(GROUPS, len(x) // 2)))


def in_halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """`[B 1 H W]` in two parts of equal size; both are `x` where there is but one slice."""
    half = max(1, len(x) // 2)
    return x[:half], x[-half:]


def mean_square(content: Tensor) -> Tensor:
    """A scalar, of `[B C H W]` of any precision."""
    return content.float().square().mean()


def sameness(slices: Sequence[Tensor], draws: Sequence[Tensor]) -> Tensor:
    """Mode seeking's loss, a scalar: how little two slices `[B 1 H W]` differ for how much their
    attributes `[B A]` do."""
    return 1 / (l1(*slices) / l1(*draws) + 1e-5)
