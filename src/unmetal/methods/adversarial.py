"""The adversarial game of unpaired methods, in the two forms that the literature uses.

`least squares` (Mao et al. 2017) is what ADN's released code does; `log` is the form of the
paper's equations (3) and (5), generator not saturating (Goodfellow et al. 2014).
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Form = Literal["least squares", "log"]


def real(scores: Tensor, form: Form = "least squares") -> Tensor:
    """The loss, a scalar, of scores that should all say "real"."""
    return _loss(scores, 1.0, form)


def fake(scores: Tensor, form: Form = "least squares") -> Tensor:
    """The loss, a scalar, of scores that should all say "fake"."""
    return _loss(scores, 0.0, form)


def unsure(scores: Tensor, form: Form = "least squares") -> Tensor:
    """The loss, a scalar, of scores that should say neither: one half (DRIT's contents)."""
    return _loss(scores, 0.5, form)


def judge(
    critic: nn.Module,
    fakes: Tensor,
    reals: Tensor,
    form: Form = "least squares",
    *,
    apart: bool = False,
) -> Tensor:
    """The critic's own loss, a scalar, on images `[B C H W]`; no gradient reaches the fakes.

    It sees both in one batch, or with `apart`, for a critic that normalises over its batch, one
    after the other.
    """
    if apart:
        said_of_fakes, said_of_reals = critic(fakes.detach()), critic(reals)
    else:
        said_of_fakes, said_of_reals = critic(torch.cat([fakes.detach(), reals])).chunk(2)
    return (fake(said_of_fakes, form) + real(said_of_reals, form)) / 2


def real_at_scales(scores: Sequence[Tensor], form: Form = "least squares") -> Tensor:
    """`real`, summed over the scales of `nets.multiscale`; a scalar."""
    return torch.stack([real(scale, form) for scale in scores]).sum()


def judge_at_scales(
    critic: nn.Module, fakes: Tensor, reals: Tensor, form: Form = "least squares"
) -> Tensor:
    """The loss, a scalar, of a critic at several scales, on images `[B 1 H W]`: fake and real
    scores count fully, as in MUNIT and DRIT, where `judge` takes their mean. No gradient reaches
    the fakes."""
    scores = [scale.chunk(2) for scale in critic(torch.cat([fakes.detach(), reals]))]
    said_of_fakes, said_of_reals = zip(*scores, strict=True)
    losses = [fake(scale, form) for scale in said_of_fakes]
    return torch.stack(losses).sum() + real_at_scales(said_of_reals, form)


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference, a scalar: what keeps the game to its subject."""
    return functional.l1_loss(a.float(), b.float())


def _loss(scores: Tensor, target: float, form: Form) -> Tensor:
    # Scores come in bfloat16 under mixed precision; a mean of thousands needs more digits.
    scores = scores.float()
    aim = torch.full_like(scores, target)
    if form == "log":
        return functional.binary_cross_entropy_with_logits(scores, aim)
    return functional.mse_loss(scores, aim)
