"""Metal for clean slices: which shape, where, how large and how turned; then the mask itself.

Sizes follow the published masks of CNN-MAR, whose 21 known ones cover 14 to 1050 of 256 x 256
pixels; single pieces are drawn evenly in the logarithm of their area.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

AREA = (12 / 256**2, 800 / 256**2)
"""Smallest and largest area of all pieces together, as shares of the frame."""


@dataclass(frozen=True)
class Placement:
    """One shape put into a frame. Places are (x, y) in half frames, [-1, 1] across the image."""

    shape: int
    """Index of the shape."""

    centre: tuple[float, float]
    """Where the shape's own centre goes."""

    scale: float
    """Its size relative to the stored one."""

    angle: float
    """Radians, counterclockwise in (x right, y down) turned clockwise."""

    flip: bool
    """Mirrored left to right before it is turned."""


class Shapes:
    """Shapes of metal on a device, with the centre and the area of each."""

    def __init__(self, shapes: np.ndarray, whole: np.ndarray, device: torch.device) -> None:
        """shapes: uint8 `[M S S]`; whole: bool `[M]`, see `Cohort`."""
        share = shapes.astype(np.float32) / 255
        self.share = torch.from_numpy(share).to(device)
        self.area = share.mean(axis=(1, 2))
        across = (np.arange(shapes.shape[-1]) + 0.5) / shapes.shape[-1] * 2 - 1
        total = np.maximum(share.sum(axis=(1, 2)), 1e-6)
        self.centre = np.stack(
            [(share.sum(1) @ across) / total, (share.sum(2) @ across) / total], axis=1
        )
        self.wholes, self.pieces = np.flatnonzero(whole), np.flatnonzero(~np.asarray(whole))

    def choose(self, draw: np.random.Generator, body: np.ndarray) -> list[Placement]:
        """Metal for a slice whose body is `body` (bool `[H W]`): a whole frame's or 1 to 3 pieces.

        A whole frame stays about where it was; pieces go anywhere inside the body.
        """
        if len(self.wholes) and (not len(self.pieces) or draw.random() < 0.5):
            return [self._whole(draw)]
        count = draw.integers(1, 4)
        area = np.exp(draw.uniform(*np.log(AREA))) / count
        rows, columns = np.nonzero(body) if body.any() else np.nonzero(~body)
        return [self._piece(draw, area, rows, columns, body.shape) for _ in range(count)]

    def _whole(self, draw: np.random.Generator) -> Placement:
        shape = int(draw.choice(self.wholes))
        x, y = self.centre[shape] + draw.uniform(-0.2, 0.2, 2)
        scale = float(np.exp(draw.uniform(-0.3, 0.3)))
        angle = float(draw.uniform(-0.35, 0.35))
        return Placement(shape, (float(x), float(y)), scale, angle, bool(draw.random() < 0.5))

    def _piece(
        self,
        draw: np.random.Generator,
        area: float,
        rows: np.ndarray,
        columns: np.ndarray,
        size: tuple[int, ...],
    ) -> Placement:
        shape, place = int(draw.choice(self.pieces)), int(draw.integers(len(rows)))
        x = (columns[place] + 0.5) / size[1] * 2 - 1
        y = (rows[place] + 0.5) / size[0] * 2 - 1
        scale = float(np.sqrt(area / self.area[shape]))
        angle = float(draw.uniform(-np.pi, np.pi))
        return Placement(shape, (float(x), float(y)), scale, angle, bool(draw.random() < 0.5))

    def place(self, placements: Sequence[Placement], height: int, width: int) -> Tensor:
        """The mask, bool `[1 H W]`: True where at least half of a pixel is metal."""
        masks = [self._placed(p, height, width) for p in placements]
        return torch.stack(masks).amax(0)[None] >= 0.5

    def _placed(self, p: Placement, height: int, width: int) -> Tensor:
        cosine, sine = np.cos(p.angle) / p.scale, np.sin(p.angle) / p.scale
        turn = np.array([[cosine, sine], [-sine, cosine]])
        if p.flip:
            turn[0] *= -1
        # grid_sample asks where in the shape each pixel of the frame comes from.
        shift = self.centre[p.shape] - turn @ np.array(p.centre)
        theta = self.share.new_tensor(np.concatenate([turn, shift[:, None]], axis=1))
        grid = functional.affine_grid(theta[None], [1, 1, height, width], align_corners=False)
        shape = self.share[p.shape][None, None]
        if p.scale < 1:  # bilinear sampling of every n-th pixel would lose thin metal
            shape = _shrunk(shape, p.scale)
        return functional.grid_sample(shape, grid, align_corners=False)[0, 0]


def _shrunk(shape: Tensor, scale: float) -> Tensor:
    """`[1 1 S S]` averaged down to about `scale` times its side, never to less than 4 pixels."""
    side = max(4, round(shape.shape[-1] * scale))
    return functional.interpolate(shape, (side, side), mode="bilinear", antialias=True)
