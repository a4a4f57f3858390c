"""A memory of earlier fakes, from which a critic is shown some of those that it has seen before.

Source: Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial
Training" (CVPR 2017), with the size and odds of CycleGAN's released code.
"""

import torch
from torch import Tensor, nn


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
