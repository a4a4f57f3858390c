"""Losses of generators against discriminators, in the two forms that the literature uses.

`lsgan` (least squares, Mao et al., ICCV 2017) is what ADN's released code does; `vanilla` is the
logarithmic form of the ADN paper's equations (3) and (5), with the non-saturating generator loss
of Goodfellow et al. (NeurIPS 2014).
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

GANMode = Literal["lsgan", "vanilla"]

REAL, FAKE = 1.0, 0.0
"""Targets of `gan_loss`."""


def gan_loss(
    scores: Tensor | Sequence[Tensor],
    target: float,
    mode: GANMode = "lsgan",
    *,
    weights: Tensor | None = None,
) -> Tensor:
    """The mean loss, a scalar, of raw scores that should say `target`: `REAL`, `FAKE` or between.

    Of scores at several scales (`nets.patchgan.MultiScale`) their losses are summed, as in MUNIT.
    weights: of the image's pixels, `[B 1 H W]`; a patch has that of its most important pixel.
    """
    if not isinstance(scores, Tensor):
        each = [gan_loss(scale, target, mode, weights=weights) for scale in scores]
        return torch.stack(each).sum()
    # Scores come in bfloat16 under autocast; a mean of thousands needs more digits.
    scores = scores.float()
    targets = torch.full_like(scores, target)
    vanilla = mode == "vanilla"
    loss = functional.binary_cross_entropy_with_logits if vanilla else functional.mse_loss
    if weights is None:
        return loss(scores, targets)
    # [B 1 H W] to the size of the scores, [B 1 h w].
    weights = functional.adaptive_max_pool2d(weights, scores.shape[-2:])
    return (weights * loss(scores, targets, reduction="none")).mean()


def discriminator_loss(
    discriminator: nn.Module,
    fakes: Tensor,
    reals: Tensor,
    mode: GANMode = "lsgan",
    *,
    apart: bool = False,
    weights: Tensor | None = None,
) -> Tensor:
    """The discriminator's own loss, a scalar, on images `[B C H W]`; no gradient reaches the fakes.

    It sees both in one batch, or with `apart`, for a discriminator that normalizes over its batch,
    one after the other. weights: as in `gan_loss`, the same for both.
    """
    if apart:
        of_fakes, of_reals = discriminator(fakes.detach()), discriminator(reals)
    else:
        # One pass of [2B C H W] instead of two of [B C H W].
        of_fakes, of_reals = discriminator(torch.cat([fakes.detach(), reals])).chunk(2)
    as_fake = gan_loss(of_fakes, FAKE, mode, weights=weights)
    return (as_fake + gan_loss(of_reals, REAL, mode, weights=weights)) / 2


def multiscale_discriminator_loss(
    discriminator: nn.Module, fakes: Tensor, reals: Tensor, mode: GANMode = "lsgan"
) -> Tensor:
    """The loss, a scalar, of a discriminator at several scales, on images `[B 1 H W]`.

    As in MUNIT and DRIT fake and real scores are summed, where `discriminator_loss` takes their
    mean. No gradient reaches the fakes.
    """
    # One pass; each scale's scores [2B 1 h w] are halved again into fakes and reals.
    halves = [scale.chunk(2) for scale in discriminator(torch.cat([fakes.detach(), reals]))]
    of_fakes, of_reals = zip(*halves, strict=True)
    return gan_loss(of_fakes, FAKE, mode) + gan_loss(of_reals, REAL, mode)


def weighted(losses: Mapping[str, Tensor], config: object) -> dict[str, Tensor]:
    """Each loss times the field of `config` that has its name.

    Losses of weight 0 are left out: a gradient of zeros would let weight decay shrink what nothing
    else trains.
    """
    return {name: w * loss for name, loss in losses.items() if (w := getattr(config, name))}


def l1(a: Tensor, b: Tensor) -> Tensor:
    """L1 loss in float32, a scalar."""
    return functional.l1_loss(a.float(), b.float())


class ImagePool(nn.Module):
    """Up to `size` earlier fakes (Shrivastava et al., CVPR 2017); saved with the weights, so that
    an interrupted run goes on exactly.

    Each rank has its own. They are extra state and not a buffer, whose shape would have to be known
    before the first image and which averaged weights would copy at every step.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = size
        self.images = torch.empty(0)

    def swap(self, fakes: Tensor) -> Tensor:
        """New fakes `[B 1 H W]`, about half of them replaced by old ones, whose places they take.

        While the pool is filling, and where its size is 0, they come back as they are. Detached.
        """
        return torch.stack([self._swap_one(fake) for fake in fakes.detach()])

    def _swap_one(self, fake: Tensor) -> Tensor:
        self.images = held = self.images.to(fake)
        # Filling: [n 1 H W] grows by one, and the fake itself is returned.
        if len(held) < self.size:
            self.images = torch.cat([held, fake[None]]) if len(held) else fake[None].clone()
            return fake
        # Full: with a probability of a half the fake changes places with one that is held.
        if self.size == 0 or torch.rand(()) >= 0.5:
            return fake
        place = int(torch.randint(self.size, ()))
        old = held[place].clone()
        held[place] = fake
        return old

    def get_extra_state(self) -> Tensor:
        """The images `[n 1 H W]`, n up to `size`."""
        return self.images

    def set_extra_state(self, state: Tensor) -> None:
        """Hold the images of an earlier run."""
        self.images = state.clone()
