"""The interface of all methods of reducing metal artifacts; the base of image-to-image methods."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from unmetal.nets.blocks import add_noise_to_flat, pad_to_stride
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu

Losses = Mapping[str, Tensor]
"""Named scalar losses of one optimizer step; the loop minimizes their sum."""

OptimizerStep = tuple[str | tuple[str, ...], Losses]
"""One optimizer step: the name of the player that is updated, or of several together, and the
losses that it is updated by."""


class Method(nn.Module, ABC):
    """One way of reducing metal artifacts.

    Each direct child module is a *player* with an optimizer of its own: a generator, a
    discriminator. A method never sees a file and never knows another method; what two share lives
    in `physics` or `nets`.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image"})
    """Fields of `Scan` that `reduce` needs; the caller derives those that are missing."""

    train_inputs: ClassVar[frozenset[str]] = frozenset()
    """Fields of `Scan` that `training_step` needs; empty where there is nothing to train."""

    input_size: int | None = None
    """Side in pixels of the frames, filled by the body, that a network was trained on; None for
    methods that take any slice as it is. `reduction.network_image` crops slices to it and back."""

    @abstractmethod
    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm.

        Pixels of metal are the caller's to restore: `reduction.reduce_volume` pastes the source's
        own values back.
        """

    def reduce_with_error(self, scan: Scan) -> tuple[Tensor, Tensor | None]:
        """What `reduce` gives, and the absolute error that the method expects of it, HU
        `[B 1 H W]`; None for methods that expect none."""
        return self.reduce(scan), None

    def segment_metal(self, image: Tensor) -> Tensor | None:
        """Metal, whatever its density, and a pixel or two around it: bool `[B 1 H W]` of slices in
        1/cm of that shape; None for methods that have not learned to tell it, for which
        `reduction.metal_search` asks PriorNet."""
        del image
        return None

    def training_step(self, scan: Scan) -> Iterator[OptimizerStep]:
        """Yield `(player, losses)` once per optimizer step, in the order of the updates.

        Code after a `yield` sees the updated weights.
        """
        del scan
        yield from ()


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """What the configurations of all `ImageMethod`s have."""

    size: int = 256
    """Side in pixels of the slices it is trained on, which the body fills."""


class ImageMethod(Method):
    """A network from affected to clean slices, which sees the slice alone, in [-1, 1]."""

    def reduce(self, scan: Scan) -> Tensor:
        """The slices without artifacts, `[B 1 H W]` in 1/cm, within the window of `units`."""
        return network_to_mu(self.corrected(mu_to_network(scan.image)))

    stride: int = 1
    """What the sides of a slice must be multiples of for `translate`, in pixels."""

    @abstractmethod
    def translate(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1] to clean ones; H and W are multiples of
        `stride`."""

    def corrected(self, x: Tensor) -> Tensor:
        """Affected slices `[B 1 H W]` in [-1, 1], of any size, to clean ones."""
        return pad_to_stride(self.translate, x, self.stride)

    def unpaired(self, scan: Scan) -> tuple[Tensor, Tensor]:
        """Affected slices and clean ones of other patients, `[B 1 H W]` in [-1, 1]."""
        assert scan.other is not None
        # In this order: both draw from torch's generator.
        x = add_noise_to_flat(mu_to_network(scan.image))
        return x, add_noise_to_flat(mu_to_network(scan.other))
