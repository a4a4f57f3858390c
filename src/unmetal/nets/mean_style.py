"""The style that a translator gives when none is asked for: the mean over clean training slices.

MUNIT and DRIT answer a slice with as many clean ones as there are styles, by default with one of a
random style. For metal artifacts one answer is wanted, so the style is a fixed one, learned along
with the networks and kept in their weights.
"""

import torch
from torch import Tensor, nn

SPAN = 100
"""Training steps that the mean looks back on: codes drift as the encoder learns."""


class MeanStyle(nn.Module):
    """A running mean of style codes: plain over the first `SPAN` steps, exponential from then on.

    Its state is two buffers, so that it is saved, resumed and released with the weights.
    """

    value: Tensor
    steps: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(size))
        self.register_buffer("steps", torch.zeros(()))

    @torch.no_grad()
    def update(self, styles: Tensor) -> None:
        """Take in the codes `[B S]` of clean slices."""
        # Counted no further than `SPAN`: weights are released in half precision.
        self.steps.add_(1).clamp_(max=SPAN)
        self.value.lerp_(styles.detach().float().mean(0), 1 / self.steps)

    def repeated(self, count: int) -> Tensor:
        """The mean, for `count` slices, `[count S]`."""
        return self.value.expand(count, -1)
