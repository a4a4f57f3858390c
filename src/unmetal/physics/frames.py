"""A square frame about the body: a slice cut and resized to what a network takes, and back.

Networks learn from bodies that fill their frame; a slice's field of view is another each time.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.nn import functional as F

MARGIN = 1.04
"""Side of the frame relative to the body's longer side, as in recipes/syn_cohort.py."""


@dataclass(frozen=True)
class Frame:
    """A square of a slice, in pixels; it may reach over the edge."""

    top: int
    left: int
    side: int

    def padding(self, height: int, width: int) -> list[int]:
        """What to add left, right, above and below (negative: to cut) to get the frame."""
        right, bottom = self.left + self.side - width, self.top + self.side - height
        return [-self.left, right, -self.top, bottom]


def frame_of(body: np.ndarray) -> Frame:
    """The frame about a body, bool `[H W]`; about the whole slice where there is no body."""
    rows, columns = np.nonzero(body if body.any() else np.ones_like(body))
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    side = round(MARGIN * max(bottom - top, right - left))
    return Frame(int((top + bottom - side) // 2), int((left + right - side) // 2), side)


def crop_resize(image: Tensor, frame: Frame, size: int) -> Tensor:
    """The frame of `[1 H W]` (1/cm, air around it) as `[1 size size]`."""
    cropped = F.pad(image, frame.padding(*image.shape[-2:]))
    small = F.interpolate(cropped[None], (size, size), mode="bicubic", antialias=True)
    # Bicubic weights are negative in places; attenuation is not.
    return small[0].clamp_min(0)


def paste_back(artifact: Tensor, frame: Frame, image: Tensor) -> Tensor:
    """`[1 size size]` in a frame to `[1 H W]`, the size of `image`; 0 outside the frame."""
    large = F.interpolate(artifact[None], (frame.side, frame.side), mode="bilinear")
    left, right, top, bottom = frame.padding(*image.shape[-2:])
    return F.pad(large[0], [-left, -right, -top, -bottom])
