"""Muon, for convolutions: momentum with every weight matrix's update made orthogonal.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with its
constants. PyTorch's own `torch.optim.Muon` (2.9 and newer) takes two-dimensional weights only.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of a X + b (X X^T) X + c (X X^T)^2 X, chosen for speed: singular values converge to
between 0.7 and 1.2 instead of to 1."""

ITERATIONS = 5
"""Of Newton-Schulz: small singular values grow by 3.4445 in each."""


class Muon(torch.optim.Optimizer):
    """Muon for the convolutions of a network, Adam for all its other parameters.

    The weight of a convolution with several channels on both sides is taken as a matrix
    `[out, in * k * k]`. All of its singular values move by the same step, also those with a small
    gradient, which Adam leaves behind.

    lr: of the convolutions. adam_lr, betas, weight_decay: of the rest, as in Adam.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float = 0.02,
        adam_lr: float = 1e-3,
        betas: tuple[float, float] = (0.5, 0.999),
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        parameters = list(parameters)
        groups: list[dict[str, Any]] = [
            {"params": [p for p in parameters if is_matrix(p)], "lr": lr, "muon": True},
            {"params": [p for p in parameters if not is_matrix(p)], "lr": adam_lr, "muon": False},
        ]
        defaults = {"betas": betas, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            updated = [p for p in group["params"] if p.grad is not None]
            (self._muon if group["muon"] else self._adam)(updated, group)

    def _muon(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        # Weights of one shape are made orthogonal as a batch [n out in*k*k]: there are dozens.
        shape = attrgetter("shape")
        for _, alike in groupby(sorted(parameters, key=shape), key=shape):
            same = list(alike)
            momentum = [self._nesterov(p, group["momentum"]).flatten(1) for p in same]
            updates = orthogonalize(torch.stack(momentum))
            rows, columns = updates.shape[1:]
            # A matrix with rows > columns has only `columns` singular values: the factor keeps the
            # root-mean-square step of each output the same.
            lr = group["lr"] * max(1.0, rows / columns) ** 0.5
            for parameter, update in zip(same, updates, strict=True):
                parameter.sub_(update.view_as(parameter), alpha=lr)

    def _nesterov(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        """Nesterov momentum: the gradient, blended with its running mean."""
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
        assert parameter.grad is not None
        mean = state["mean"].lerp_(parameter.grad, 1 - momentum)
        return parameter.grad.lerp(mean, momentum)

    def _adam(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                mean, square = torch.zeros_like(parameter), torch.zeros_like(parameter)
                state.update(step=0, mean=mean, square=square)
            state["step"] += 1
            assert parameter.grad is not None
            # Decay is added to the gradient as in the original Adam.
            gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])
            state["mean"].lerp_(gradient, 1 - beta1)
            state["square"].lerp_(gradient.square(), 1 - beta2)
            # Both running means start at 0: bias correction.
            root = (state["square"] / (1 - beta2 ** state["step"])).sqrt_().add_(1e-8)
            lr = group["lr"] / (1 - beta1 ** state["step"])
            parameter.addcdiv_(state["mean"], root, value=-lr)


def is_matrix(parameter: Tensor) -> bool:
    """Whether Muon updates it: a convolution's weight with several channels on both sides."""
    return parameter.ndim == 4 and parameter.shape[0] > 1 and parameter.shape[1] > 1


def orthogonalize(matrices: Tensor) -> Tensor:
    """`[n rows columns]` with the same singular vectors and all singular values near 1."""
    a, b, c = NEWTON_SCHULZ
    tall = matrices.shape[-2] > matrices.shape[-1]
    # The shorter side first: X X^T is then the smaller of both products.
    x = matrices.mT if tall else matrices
    # The iteration needs singular values up to 1; the Frobenius norm bounds the largest.
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
