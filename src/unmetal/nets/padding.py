"""Images of any size for networks that halve them: grown by reflection, and the result cut back."""

from collections.abc import Callable

import torch
from torch import Tensor


def at_any_size(network: Callable[[Tensor], Tensor], x: Tensor, stride: int) -> Tensor:
    """`[B C H W]` to `[B C' H W]`, by a network that takes sides that are multiples of `stride`."""
    height, width = x.shape[-2:]
    return network(grown(x, stride))[..., :height, :width]


def grown(x: Tensor, stride: int) -> Tensor:
    """`[B C H W]` with its sides made multiples of `stride`, by reflection at the bottom and the
    right; where a side is not long enough to be reflected once, back and forth."""
    for axis in (-2, -1):
        if x.shape[axis] % stride:
            x = x.index_select(axis, mirrored(x.shape[axis], stride, x.device))
    return x


def mirrored(length: int, stride: int, device: torch.device) -> Tensor:
    """Places `0 1 2 1 0 1`, for a length of 3 and a stride of 6: int64 `[multiple of stride]`."""
    period = max(2 * (length - 1), 1)
    place = torch.arange(length + -length % stride, device=device) % period
    return torch.minimum(place, period - place) if length > 1 else place
