"""The adversarial game of unpaired methods, in the two forms that the literature uses.

`least squares` (Mao et al. 2017) is what ADN's released code does; `log` is the form of the
paper's equations (3) and (5), generator not saturating (Goodfellow et al. 2014).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

GANMode = Literal["least squares", "log"]


def real(scores: Tensor, form: GANMode = "least squares") -> Tensor:
    """The loss, a scalar, of scores that should all say "real"."""
    return _loss(scores, 1.0, form)


def fake(scores: Tensor, form: GANMode = "least squares") -> Tensor:
    """The loss, a scalar, of scores that should all say "fake"."""
    return _loss(scores, 0.0, form)


def unsure(scores: Tensor, form: GANMode = "least squares") -> Tensor:
    """The loss, a scalar, of scores that should say neither: one half (DRIT's contents)."""
    return _loss(scores, 0.5, form)


def discriminator_loss(
    discriminator: nn.Module,
    fakes: Tensor,
    reals: Tensor,
    form: GANMode = "least squares",
    *,
    apart: bool = False,
) -> Tensor:
    """The critic's own loss, a scalar, on images `[B C H W]`; no gradient reaches the fakes.

    It sees both in one batch, or with `apart`, for a critic that normalises over its batch, one
    after the other.
    """
    if apart:
        said_of_fakes, said_of_reals = discriminator(fakes.detach()), discriminator(reals)
    else:
        said_of_fakes, said_of_reals = discriminator(torch.cat([fakes.detach(), reals])).chunk(2)
    return (fake(said_of_fakes, form) + real(said_of_reals, form)) / 2


def real_at_scales(scores: Sequence[Tensor], form: GANMode = "least squares") -> Tensor:
    """`real`, summed over the scales of `nets.patchgan`; a scalar."""
    return torch.stack([real(scale, form) for scale in scores]).sum()


def multiscale_discriminator_loss(
    discriminator: nn.Module, fakes: Tensor, reals: Tensor, form: GANMode = "least squares"
) -> Tensor:
    """The loss, a scalar, of a critic at several scales, on images `[B 1 H W]`: fake and real
    scores count fully, as in MUNIT and DRIT, where `discriminator_loss` takes their mean. No gradient reaches
    the fakes."""
    scores = [scale.chunk(2) for scale in discriminator(torch.cat([fakes.detach(), reals]))]
    said_of_fakes, said_of_reals = zip(*scores, strict=True)
    losses = [fake(scale, form) for scale in said_of_fakes]
    return torch.stack(losses).sum() + real_at_scales(said_of_reals, form)


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference, a scalar: what keeps the game to its subject."""
    return functional.l1_loss(a.float(), b.float())


def _loss(scores: Tensor, target: float, form: GANMode) -> Tensor:
    # Scores come in bfloat16 under mixed precision; a mean of thousands needs more digits.
    scores = scores.float()
    aim = torch.full_like(scores, target)
    if form == "log":
        return functional.binary_cross_entropy_with_logits(scores, aim)
    return functional.mse_loss(scores, aim)


class ImagePool(nn.Module):
    """Up to `size` images, kept with the weights so that an interrupted run goes on exactly.

    Each rank has its own. They are extra state and not a buffer, whose shape would have to be known
    before the first image and which averaged weights would copy at every step.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = size
        self.images = torch.empty(0)

    def swap(self, fakes: Tensor) -> Tensor:
        """New fakes `[B 1 H W]`, about half of them replaced by old ones, whose places they take.

        While the pool is filling, and where its size is 0, they come back as they are; no gradient
        passes.
        """
        return torch.stack([self._swap_one(fake) for fake in fakes.detach()])

    def _swap_one(self, fake: Tensor) -> Tensor:
        self.images = held = self.images.to(fake)
        if len(held) < self.size:
            self.images = torch.cat([held, fake[None]]) if len(held) else fake[None].clone()
            return fake
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
