"""The adversarial game of unpaired methods, in the two forms that the literature uses.

`least squares` (Mao et al. 2017) is what ADN's released code does; `log` is the form of the
paper's equations (3) and (5), generator not saturating (Goodfellow et al. 2014).
"""

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


def judge(critic: nn.Module, fakes: Tensor, reals: Tensor, form: Form = "least squares") -> Tensor:
    """The critic's own loss, a scalar, on images `[B 1 H W]`; no gradient reaches the fakes."""
    said_of_fakes, said_of_reals = critic(torch.cat([fakes.detach(), reals])).chunk(2)
    return (fake(said_of_fakes, form) + real(said_of_reals, form)) / 2


def _loss(scores: Tensor, target: float, form: Form) -> Tensor:
    # Scores come in bfloat16 under mixed precision; a mean of thousands needs more digits.
    scores = scores.float()
    aim = torch.full_like(scores, target)
    if form == "log":
        return functional.binary_cross_entropy_with_logits(scores, aim)
    return functional.mse_loss(scores, aim)
