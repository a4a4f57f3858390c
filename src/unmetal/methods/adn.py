"""ADN: Liao et al., "Artifact Disentanglement Network for Unsupervised Metal Artifact Reduction".

MICCAI 2019, arXiv 1906.01806. Where paper and released code differ the code is the default, since
its numbers are the published ones: least-squares adversarial losses, and the inputs rather than
the reconstructions in the artifact-consistency loss.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from unmetal.methods.adversarial import REAL, GANMode, discriminator_loss, gan_loss, l1, weighted
from unmetal.methods.method import ImageConfig, ImageMethod, OptimizerStep
from unmetal.nets.adn import Architecture, Generator
from unmetal.nets.blocks import scale_gradient
from unmetal.nets.patchgan import PatchGAN
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu

METAL, NEAR_PIXELS = 0.98, 9
"""What is brighter in [-1, 1] is taken for metal, which the window cuts off at 1; and how far
around it `Config.near_metal` applies: half a patch of a discriminator."""


@dataclass(frozen=True)
class Config(ImageConfig):
    """The networks and the weights of the losses, equation (8); those of SYN and CL1 by default."""

    architecture: Architecture = field(default_factory=Architecture)

    adv_clean: float = 1.0
    """Weight of equation (3): corrected slices look clean."""

    adv_artifact: float = 1.0
    """Weight of equation (5): clean slices given an artifact look affected."""

    recon: float = 20.0
    """Weight of equation (4): content and artifact codes give the slice again."""

    cycle: float = 20.0
    """Weight of equation (6), self-reduction: the artifact given to a clean slice comes off."""

    artifact: float = 20.0
    """Weight of equation (7): the artifact taken from one slice is the one given to the other."""

    artifact_pull: float = 1.0
    """Share of equation (7)'s gradient for the corrected slice, which rewards it for keeping the
    artifact as long as the artifact code carries little; 1 is the paper's."""

    recon_pull: float = 1.0
    """Share of the gradient of the reconstructed affected slice, equation (4), that reaches its
    content, with the same effect; 1 is the paper's."""

    pasted: float = 0.0
    """Weight of equation (6) on clean slices given the artifact as it was taken from an affected
    one, `x - x_clean`, and not as G_Ia decodes it; 0 is the paper's. Samples with
    `Scan.other_scanned` are given it on that, and the slice before the scan has to come out."""

    paste_gain: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on that artifact."""

    paste_nothing: float = 0.25
    """Share of steps in which that factor is 0: a slice without metal has to be copied."""

    near_metal: float = 1.0
    """Weight in equations (3) and (5) of patches within `NEAR_PIXELS` of metal, where most of the
    artifact is; 1 is the paper's."""

    discriminator_steps: int = 1
    """Steps of the discriminators for each step of the generator."""

    gan_mode: GANMode = "lsgan"
    """`vanilla` is the paper's text, `lsgan` the released code."""

    autoencoder: bool = False
    """Only learn to copy slices of both kinds: equation (4) for E_Ia and G_I, which make the
    corrected slice. A stage before the others, see `after_autoencoder`; not in the paper."""

    distill: bool = False
    """Only learn to take off what a fixed copy of the generator, the teacher, takes off affected
    slices: scans of clean slices are given it (`pasted`), or nothing (`cycle`), and clean slices
    are put together again (`recon`). No discriminator and a fifth of a step's cost; a stage after
    the others, see `with_teacher`; not in the paper."""

    artifact_between: Literal["inputs", "reconstructions"] = "inputs"
    """What the outputs are subtracted from in equation (7); the released code's `gt_art`."""


class ADN(ImageMethod):
    """The artifact disentanglement network, trained on affected and clean slices without pairs."""

    train_inputs: ClassVar[frozenset[str]] = frozenset({"image", "other"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.input_size = config.size
        self.stride = config.architecture.stride
        self.generator = Generator(config.architecture)
        if config.distill:
            self.teacher = Generator(config.architecture).requires_grad_(False)
        # D_I and D_Ia (Figure 6): PatchGANs of 34 pixels, [B 1 256 256] to [B 1 62 62].
        width = config.architecture.discriminator_width
        self.discriminator = nn.ModuleDict(
            {domain: PatchGAN(1, width, layers=2) for domain in ("clean", "affected")}
        )

    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones."""
        return self.generator.clean(x)

    def transfer(self, affected: Tensor, clean: Tensor) -> Tensor:
        """Clean slices given the artifact of affected ones (Figure 11); `[B 1 H W]` in 1/cm."""
        merged, _ = self.generator.merge(mu_to_network(affected), mu_to_network(clean))
        return network_to_mu(merged.float())

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """One step of the generator, one of both discriminators on the same fakes.

        The released code moves each discriminator before the generator's gradients are taken, which
        PyTorch has refused since 1.5; here both sides answer the other's previous weights.
        """
        # x: affected, y: clean and of another patient.
        x, y = self.unpaired(scan)
        w = self.config
        if w.autoencoder:
            both = torch.cat([x, y])  # [2B 1 H W]
            yield "generator", {"recon": w.recon * l1(self.generator.clean(both), both)}
            return
        if w.distill:
            yield "generator", weighted(self.distillation(x, y, scan), w)
            return
        # Figure 1: x is split into content and artifact; y is given that artifact, and cleaned.
        artifact = self.generator.encode_artifact(x)
        x_again, x_clean = self.generator.split(x, artifact, w.recon_pull)
        y_affected, y_again = self.generator.merge(x, y, artifact)
        y_reduced = self.generator.clean(y_affected) if w.cycle else y
        x_whole, y_whole = (x, y) if w.artifact_between == "inputs" else (x_again, y_again)
        taken = x_whole - scale_gradient(x_clean, w.artifact_pull)
        # Both fakes have the metal of x, or what is left of it.
        weights = near_metal(x, w.near_metal)
        scores = self.discriminator["clean"](x_clean), self.discriminator["affected"](y_affected)
        of_clean, of_affected = (gan_loss(s, REAL, w.gan_mode, weights=weights) for s in scores)
        losses = {
            # Equation (3), L_adv^I, and (5), L_adv^Ia: the generator's part.
            "adv_clean": of_clean,
            "adv_artifact": of_affected,
            # Equation (4), L_rec.
            "recon": l1(x_again, x) + l1(y_again, y),
            # Equation (6), L_self.
            "cycle": l1(y_reduced, y),
            # Equation (7), L_art: the two artifacts are one.
            "artifact": l1(taken, y_affected - y_whole),
        }
        if w.pasted:
            # Equation (6) again, of an artifact that is pasted; not in the paper.
            scanned = y if scan.other_scanned is None else mu_to_network(scan.other_scanned)
            pasted = self.paste(x, x_clean.detach(), scanned)
            losses["pasted"] = l1(self.generator.clean(pasted), y)
        # Equation (8).
        yield "generator", weighted(losses, w)
        # Equations (3) and (5), the discriminators' part.
        images = {"clean": (x_clean, y), "affected": (y_affected, x)}
        for _ in range(w.discriminator_steps):
            yield (
                "discriminator",
                {
                    name: discriminator_loss(
                        self.discriminator[name], *pair, w.gan_mode, weights=weights
                    )
                    for name, pair in images.items()
                },
            )

    def distillation(self, x: Tensor, y: Tensor, scan: Scan) -> dict[str, Tensor]:
        """The losses of `Config.distill`, by name. x: affected, y: clean and of another patient,
        `[B 1 H W]` in [-1, 1]."""
        if scan.other_scanned is None:
            raise ValueError("distillation needs clean slices that were scanned: scan_other")
        scanned = mu_to_network(scan.other_scanned)
        with torch.no_grad():
            x_clean = self.teacher.clean(x)
        g = self.generator
        return {
            "pasted": l1(g.clean(self.paste(x, x_clean, scanned)), y),
            "cycle": l1(g.clean(scanned), y),
            "recon": l1(g.decode_clean(g.encode_clean(y)), y),
        }

    def paste(self, x: Tensor, x_clean: Tensor, y: Tensor) -> Tensor:
        """Clean slices `y` given what was taken from affected ones, `[B 1 H W]` in [-1, 1] each."""
        if torch.rand(()) < self.config.paste_nothing:
            return y
        low, high = self.config.paste_gain
        gain = low + (high - low) * float(torch.rand(()))
        affected = (y + gain * (x - x_clean)).clamp(-1, 1)
        # Metal as it is: its brightness does not scale with the artifact.
        return torch.where(x > METAL, x, affected)


def near_metal(x: Tensor, weight: float) -> Tensor | None:
    """Weights of the pixels of affected slices `[B 1 H W]` in [-1, 1]; None where all are 1."""
    if weight == 1:
        return None
    # Dilation by a square of 2 * NEAR_PIXELS + 1 pixels.
    near = max_pool2d((x > METAL).float(), 2 * NEAR_PIXELS + 1, 1, NEAR_PIXELS)
    return 1 + (weight - 1) * near


def with_teacher(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights to start the stage `Config.distill` with: the generator is its own first teacher."""
    copies = {
        name.replace("generator.", "teacher.", 1): tensor.clone()
        for name, tensor in weights.items()
        if name.startswith("generator.")
    }
    return {**weights, **copies}


def after_autoencoder(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights to start with, from those of the stage `Config.autoencoder`.

    That stage trains `encode_affected` and `decode_clean` to copy. Their counterparts
    `encode_clean` and `decode_affected` get the same weights, and every merge passes the content
    and ignores the artifact code. So all outputs are copies of the inputs at first.
    """
    start = dict(weights)
    twins = {"encode_clean": "encode_affected", "decode_affected": "decode_clean"}
    for name in weights:
        _, part, *inner = name.split(".")
        twin = ".".join(["generator", twins.get(part, part), *inner])
        if twin in weights:
            start[name] = weights[twin].clone()
        elif inner[0] == "merges":
            # 1x1 convolutions [C 2C 1 1]: identity for the content, 0 for artifact code and bias.
            start[name] = torch.zeros_like(weights[name])
            if weights[name].ndim == 4:
                channels = len(weights[name])
                start[name][:, :channels, 0, 0] = torch.eye(channels)
    return start
