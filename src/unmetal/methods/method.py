"""The one interface of everything that reduces metal artifacts."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

from torch import Tensor, nn

from unmetal.scan import Scan

Losses = Mapping[str, Tensor]
"""Named scalar losses of one optimiser step; the loop sums them."""

OptimizerStep = tuple[str | tuple[str, ...], Losses]
"""Who moves, one player or several together, and by which losses."""


class Method(nn.Module, ABC):
    """One way of reducing metal artifacts.

    Each direct child module is a *player* with an optimiser of its own. A method never sees a
    file and never knows another method; what two share lives in `physics` or `nets`.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    """Fields of `Scan` that `reduce` needs; the caller derives those that are missing."""

    train_inputs: ClassVar[frozenset[str]] = frozenset()
    """Fields of `Scan` that `training_step` needs; empty where there is nothing to train."""

    input_size: int | None = None
    """Side in pixels of the frames, filled by the body, that a network knows; None for methods
    that take any slice as it is. `reduction.network_image` crops slices to it and pastes back."""

    @abstractmethod
    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm.

        What is inside the metal is the caller's to restore: `reduction.reduce_volume` pastes the
        source's own values back.
        """

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """Yield `(player, losses)` once per optimiser step, in the order the players move."""
        del scan
        yield from ()
