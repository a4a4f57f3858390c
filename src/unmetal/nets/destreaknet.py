"""A two-stream residual network in the style of DestreakNet: a corrected slice and its details.

Source: Gjesteby et al., "A dual-stream deep convolutional network for reducing metal streak
artifacts in CT images", Phys. Med. Biol. 64 (2019), as far as its abstract goes: two streams, one
of the slice after NMAR, and a residual. Its layer tables could not be read, so the layers are a
choice: four of 64 channels in each stream, four after they meet.
"""

import torch
from torch import Tensor, nn

from unmetal.nets.blocks import InFloat32
from unmetal.nets.plain import stack, to_residual


class DualStream(nn.Module):
    """The slice after NMAR and the uncorrected slice to a residual for the former."""

    def __init__(self, width: int = 64, depth: int = 4) -> None:
        super().__init__()
        self.corrected = nn.Sequential(*stack(1, width, depth))
        self.detail = nn.Sequential(*stack(1, width, depth))
        last = InFloat32(to_residual(width))
        self.joint = nn.Sequential(*stack(2 * width, width, depth), last)

    def forward(self, corrected: Tensor, detail: Tensor) -> Tensor:
        """Two images `[B 1 H W]` to the residual of the first, the same shape."""
        # Two streams of [B width H W] become one of 2 x width channels.
        both = torch.cat([self.corrected(corrected), self.detail(detail)], dim=1)
        return self.joint(both)
