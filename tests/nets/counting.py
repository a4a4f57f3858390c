"""What papers state about a network, counted: parameters, arithmetic and receptive field."""

import torch
from torch import nn


def parameters(module: nn.Module) -> int:
    """Trainable numbers."""
    return sum(p.numel() for p in module.parameters())


def macs(module: nn.Module, *inputs: torch.Tensor) -> int:
    """Multiply-accumulates of the convolutions and linear layers of one forward pass, in the
    order of the formulas: whatever order they are computed in."""
    total = 0

    def count(layer, arguments, output):
        nonlocal total
        spread = isinstance(layer, nn.ConvTranspose2d)
        total += layer.weight[0].numel() * (arguments[0] if spread else output).numel()

    counted = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, counted)]
    module(*inputs)
    for hook in hooks:
        hook.remove()
    return total


def receptive_field(module: nn.Module, side: int = 128) -> int:
    """Side in pixels of what one output in the middle sees, of a network without normalisation."""
    x = torch.zeros(1, 1, side, side, requires_grad=True)
    out = module(x)
    (seen,) = torch.autograd.grad(out[0, 0, out.shape[-2] // 2, out.shape[-1] // 2], x)
    rows = seen[0, 0].any(1).nonzero()
    return int(rows.max() - rows.min()) + 1
