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

from unmetal.cohorts.cohort import Cohort
from unmetal.physics.implants.kinds import BONE_HU, HEAD_MM, Hardware, choose_hardware
from unmetal.physics.projection.geometry import Grid

AREA = (12 / 256**2, 800 / 256**2)
"""Smallest and largest area of all pieces together, as shares of the frame."""


AREA_MM2 = (8.0, 1000.0)
"""mm2, the same where sizes are true: from a wire's end to a hip's head of 36 mm."""


CROWNS_MM2 = (8.0, 120.0)
"""mm2, of gold and amalgam: up to two crowns."""


@dataclass(frozen=True)
class Sizes:
    """What true sizes are told by."""

    field: float
    """mm: side of the slice."""

    frame: np.ndarray
    """float `[M]`, mm: side of each whole's own frame."""

    wholes: np.ndarray
    """int `[n]`: the wholes that may be taken."""

    area: tuple[float, float]
    """mm2: smallest and largest area of all pieces together."""


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
        self.points = [_points(one, across) for one in share]
        self.wholes, self.pieces = np.flatnonzero(whole), np.flatnonzero(~np.asarray(whole))

    def choose(self, draw: np.random.Generator, body: np.ndarray) -> list[Placement]:
        """Metal for a slice whose body is `body` (bool `[H W]`): a whole frame's or 1 to 3 pieces.

        A whole frame stays about where it was, as long as most of its metal is in the body; pieces
        go anywhere inside.
        """
        if len(self.wholes) and (not len(self.pieces) or draw.random() < 0.5):
            for _ in range(20):
                placement = self._whole(draw)
                if self._inside(placement, body) > 0.6:
                    return [placement]
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

    def _inside(self, p: Placement, body: np.ndarray) -> float:
        """Share of a shape's metal that would lie in the body."""
        back = np.linalg.inv(_turn(p))
        x, y = back @ (self.points[p.shape] - self.centre[p.shape]).T + np.array([p.centre]).T
        column = np.floor((x + 1) / 2 * body.shape[1]).astype(int)
        row = np.floor((y + 1) / 2 * body.shape[0]).astype(int)
        there = (row >= 0) & (row < body.shape[0]) & (column >= 0) & (column < body.shape[1])
        return float(body[row[there], column[there]].sum() / len(there))

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

    def choose_in_mm(
        self, draw: np.random.Generator, body: np.ndarray, bone: np.ndarray, sizes: Sizes
    ) -> list[Placement]:
        """Metal at its true size, within a tenth, for a slice of known pixel: one of the wholes
        that `sizes` has, or 1 to 3 pieces. body, bone: bool `[H W]`.

        Of twenty places about where a whole was, the one with most of it in bone is taken; if none
        has most of it in the body, there are pieces.
        """
        if len(sizes.wholes) and draw.random() < 0.5:
            tried = [self._whole_in_mm(draw, sizes) for _ in range(20)]
            inside = [p for p in tried if self._inside(p, body) > 0.6]
            if inside:
                return [max(inside, key=lambda p: self._inside(p, bone))]
        count = int(draw.integers(1, 4))
        area = np.exp(draw.uniform(*np.log(sizes.area))) / sizes.field**2 / count
        rows, columns = np.nonzero(body) if body.any() else np.nonzero(~body)
        return [self._piece(draw, area, rows, columns, body.shape) for _ in range(count)]

    def _whole_in_mm(self, draw: np.random.Generator, sizes: Sizes) -> Placement:
        shape = int(draw.choice(sizes.wholes))
        scale = float(sizes.frame[shape] / sizes.field * draw.uniform(0.9, 1.1))
        x, y = self.centre[shape] * scale + draw.uniform(-0.2, 0.2, 2)
        angle = float(draw.uniform(-0.1, 0.1))
        return Placement(shape, (float(x), float(y)), scale, angle, bool(draw.random() < 0.5))

    def place(self, placements: Sequence[Placement], height: int, width: int) -> Tensor:
        """The mask, bool `[1 H W]`: True where a pixel has half as much metal as the fullest one,
        so that what is thinner than a pixel does not vanish."""
        share = self.placed(placements, height, width)
        return (share >= share.max() / 2) & (share > 0)

    def placed(self, placements: Sequence[Placement], height: int, width: int) -> Tensor:
        """Share of each pixel that is metal, float32 `[1 H W]`."""
        return torch.stack([self._placed(p, height, width) for p in placements]).amax(0)[None]

    def _placed(self, p: Placement, height: int, width: int) -> Tensor:
        turn = _turn(p)
        # grid_sample asks where in the shape each pixel of the frame comes from.
        shift = self.centre[p.shape] - turn @ np.array(p.centre)
        theta = self.share.new_tensor(np.concatenate([turn, shift[:, None]], axis=1))
        grid = functional.affine_grid(theta[None], [1, 1, height, width], align_corners=False)
        shape = self.share[p.shape][None, None]
        if p.scale < 1:  # bilinear sampling of every n-th pixel would lose thin metal
            shape = _shrunk(shape, p.scale)
        return functional.grid_sample(shape, grid, align_corners=False)[0, 0]


def _turn(p: Placement) -> np.ndarray:
    """`[2 2]`: a place in the frame, relative to the centre, to one in the stored shape."""
    cosine, sine = np.cos(p.angle) / p.scale, np.sin(p.angle) / p.scale
    turn = np.array([[cosine, sine], [-sine, cosine]])
    if p.flip:
        turn[0] *= -1
    return turn


def _points(share: np.ndarray, across: np.ndarray) -> np.ndarray:
    """float `[n 2]`: (x, y) of at most 200 pixels that are metal."""
    rows, columns = np.nonzero(share >= share.max() / 2)
    some = slice(None, None, max(1, len(rows) // 200))
    return np.stack([across[columns[some]], across[rows[some]]], axis=1)


def _shrunk(shape: Tensor, scale: float) -> Tensor:
    """`[1 1 S S]` averaged down to about `scale` times its side, never to less than 4 pixels."""
    side = max(4, round(shape.shape[-1] * scale))
    return functional.interpolate(shape, (side, side), mode="bilinear", antialias=True)


DRAWN = 0.6
"""Share of the samples whose implants are drawn; the others have shapes of the cohort."""


DENTAL = ("amalgam", "au")
"""What fillings and crowns are made of, and nothing that is larger."""


class MetalSampler:
    """What metal a cohort and a list of materials allow."""

    def __init__(self, shapes: Shapes, cohort: Cohort, metals: Sequence[str]) -> None:
        """Raises `InputError` for a cohort without sizes in mm."""
        _, self.frame, made_of = cohort.in_mm()
        self.shapes, self.metals = shapes, metals
        self.made_of = [[m for m in metals if m in made.split()] for made in made_of.tolist()]
        self.dental = np.array(["amalgam" in made.split() for made in made_of.tolist()])

    def choose(
        self, draw: np.random.Generator, hu: np.ndarray, pixel: float
    ) -> tuple[Sequence[Placement] | Hardware, str]:
        """Metal for a slice (HU `[H W]`, pixels of `pixel` mm) and its material."""
        if draw.random() < DRAWN:
            hardware = choose_hardware(hu, pixel, self.metals, draw)
            if hardware is not None:
                return hardware, hardware.material
        body = hu > -300
        columns = np.nonzero(body.any(0))[0]
        narrow = len(columns) > 0 and (np.ptp(columns) + 1) * pixel < HEAD_MM
        # Frames with fillings are for heads, all others for trunks.
        fits = [bool(made) for made in self.made_of] & (self.dental == narrow)
        wholes = self.shapes.wholes[fits[self.shapes.wholes]]
        material = str(draw.choice(self.metals))
        area = CROWNS_MM2 if material in DENTAL else AREA_MM2
        sizes = Sizes(hu.shape[1] * pixel, self.frame, wholes, area)
        placements = self.shapes.choose_in_mm(draw, body, hu > BONE_HU, sizes)
        made_of = self.made_of[placements[0].shape]
        return placements, str(draw.choice(made_of)) if made_of else material

    def share(self, metal: Sequence[Placement] | Hardware, grid: Grid) -> Tensor:
        """Share of each pixel of a grid that is metal, `[1 1 H W]` on the shapes' device."""
        height, width = grid.height, grid.width
        if isinstance(metal, Hardware):
            share = metal.share(height, width, 10 * grid.pixel)
            return share[None, None].to(self.shapes.share.device)
        share = self.shapes.placed(metal, height, width)[None]
        # What is left of a shape's blurred rim is no metal: gold of 1 % is denser than bone.
        return share.where(share > 0.05, 0)
