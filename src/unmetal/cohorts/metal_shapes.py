"""Metal for clean slices: shape, place, size and rotation are chosen; then the mask is drawn.

Sizes follow the published masks of CNN-MAR, whose 21 known ones cover 14 to 1050 of 256 x 256
pixels; the area of single components is log-uniform.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.cohorts.cohort import Cohort
from unmetal.errors import InputError
from unmetal.physics.implants.kinds import BONE_HU, HEAD_MM, Hardware, choose_hardware
from unmetal.physics.projection.geometry import Grid

AREA = (12 / 256**2, 800 / 256**2)
"""Smallest and largest area of all components together, as shares of the frame."""

AREA_MM2 = (8.0, 1000.0)
"""mm2, the same at true size: from a wire's end to a hip's head of 36 mm."""

CROWNS_MM2 = (8.0, 120.0)
"""mm2, of gold and amalgam: up to two crowns."""

DENTAL = ("amalgam", "au")
"""Materials of fillings and crowns only."""

HARDWARE_SHARE = 0.6
"""Share of the samples in mm with implants of `physics.implants`; the others have shapes of the
cohort."""

INSIDE = 0.6
"""Share of a frame's metal that must lie in the body."""


@dataclass(frozen=True)
class Sizes:
    """True sizes for one slice."""

    field: float
    """mm: side of the slice."""
    frame: np.ndarray
    """float `[M]`, mm: side of each shape's own frame."""
    frames: np.ndarray
    """int `[n]`: shapes that are whole frames and may be taken."""
    area: tuple[float, float]
    """mm2: smallest and largest area of all components together."""


@dataclass(frozen=True)
class Placement:
    """One shape put into a frame. Places are (x, y) in half frames, [-1, 1] across the image."""

    shape: int
    """Index of the shape."""
    center: tuple[float, float]
    """Where the shape's center of mass goes."""
    scale: float
    """Its size relative to the stored one."""
    angle: float
    """Radians, clockwise on the screen (x right, y down)."""
    flip: bool
    """Mirrored left to right before it is rotated."""


class Shapes:
    """Shapes of metal on a device, with the center and the area of each.

    A shape is a *frame*, a whole image with metal where it belongs, or a *component*, one piece of
    metal that fills the image and can go anywhere.
    """

    def __init__(self, shapes: np.ndarray, whole: np.ndarray, device: torch.device) -> None:
        """shapes: uint8 `[M S S]`; whole: bool `[M]`, see `Cohort`."""
        share = shapes.astype(np.float32) / 255
        self.share = torch.from_numpy(share).to(device)
        self.area = share.mean(axis=(1, 2))
        # Pixel centers in half frames, [S]; centers of mass (x, y), [M 2].
        across = (np.arange(shapes.shape[-1]) + 0.5) / shapes.shape[-1] * 2 - 1
        total = np.maximum(share.sum(axis=(1, 2)), 1e-6)
        self.center = np.stack(
            [(share.sum(1) @ across) / total, (share.sum(2) @ across) / total], axis=1
        )
        self.points = [_points(one, across) for one in share]
        self.frames, self.components = np.flatnonzero(whole), np.flatnonzero(~np.asarray(whole))

    def choose(self, rng: np.random.Generator, body: np.ndarray) -> list[Placement]:
        """Metal for a slice whose body is `body` (bool `[H W]`): a frame or 1 to 3 components.

        A frame stays about where it was, as long as most of its metal is in the body; components
        go anywhere inside.
        """
        if len(self.frames) and (not len(self.components) or rng.random() < 0.5):
            for _ in range(20):
                placement = self._frame(rng)
                if self._inside(placement, body) > INSIDE:
                    return [placement]
        # The total area is log-uniform, in equal parts.
        count = rng.integers(1, 4)
        area = np.exp(rng.uniform(*np.log(AREA))) / count
        return self._components(rng, int(count), area, body)

    def _frame(self, rng: np.random.Generator) -> Placement:
        shape = int(rng.choice(self.frames))
        # Shifted by a tenth of the frame, 0.74 to 1.35 times as large, rotated by 20 degrees.
        x, y = self.center[shape] + rng.uniform(-0.2, 0.2, 2)
        scale = float(np.exp(rng.uniform(-0.3, 0.3)))
        angle = float(rng.uniform(-0.35, 0.35))
        return Placement(shape, (float(x), float(y)), scale, angle, bool(rng.random() < 0.5))

    def _inside(self, p: Placement, body: np.ndarray) -> float:
        """Share of a shape's metal that would lie in the body."""
        # Points of the shape, [2 n], to places in the frame, then to pixels.
        back = np.linalg.inv(_to_shape(p))
        x, y = back @ (self.points[p.shape] - self.center[p.shape]).T + np.array([p.center]).T
        column = np.floor((x + 1) / 2 * body.shape[1]).astype(int)
        row = np.floor((y + 1) / 2 * body.shape[0]).astype(int)
        there = (row >= 0) & (row < body.shape[0]) & (column >= 0) & (column < body.shape[1])
        return float(body[row[there], column[there]].sum() / len(there))

    def _components(
        self, rng: np.random.Generator, count: int, area: float, body: np.ndarray
    ) -> list[Placement]:
        """Components of `area` each, a share of the frame, at places inside the body."""
        rows, columns = np.nonzero(body if body.any() else ~body)
        placements = []
        for _ in range(count):
            shape, place = int(rng.choice(self.components)), int(rng.integers(len(rows)))
            # The center of a pixel, in half frames.
            x = (columns[place] + 0.5) / body.shape[1] * 2 - 1
            y = (rows[place] + 0.5) / body.shape[0] * 2 - 1
            scale = float(np.sqrt(area / self.area[shape]))
            angle, flip = float(rng.uniform(-np.pi, np.pi)), bool(rng.random() < 0.5)
            placements.append(Placement(shape, (float(x), float(y)), scale, angle, flip))
        return placements

    def choose_in_mm(
        self, rng: np.random.Generator, body: np.ndarray, bone: np.ndarray, sizes: Sizes
    ) -> list[Placement]:
        """Metal at its true size, within a tenth, for a slice of known pixel: one of the frames
        of `sizes`, or 1 to 3 components. body, bone: bool `[H W]`.

        Of twenty places about where a frame was, the one with most of it in bone is taken; if none
        has most of it in the body, there are components.
        """
        if len(sizes.frames) and rng.random() < 0.5:
            tried = [self._frame_in_mm(rng, sizes) for _ in range(20)]
            inside = [p for p in tried if self._inside(p, body) > INSIDE]
            if inside:
                return [max(inside, key=lambda p: self._inside(p, bone))]
        count = int(rng.integers(1, 4))
        area = np.exp(rng.uniform(*np.log(sizes.area))) / sizes.field**2 / count
        return self._components(rng, count, area, body)

    def _frame_in_mm(self, rng: np.random.Generator, sizes: Sizes) -> Placement:
        shape = int(rng.choice(sizes.frames))
        scale = float(sizes.frame[shape] / sizes.field * rng.uniform(0.9, 1.1))
        x, y = self.center[shape] * scale + rng.uniform(-0.2, 0.2, 2)
        angle = float(rng.uniform(-0.1, 0.1))
        return Placement(shape, (float(x), float(y)), scale, angle, bool(rng.random() < 0.5))

    def place(self, placements: Sequence[Placement], height: int, width: int) -> Tensor:
        """The mask, bool `[1 H W]`: True where a pixel has half as much metal as the fullest one,
        so that what is thinner than a pixel does not vanish."""
        share = self.placed(placements, height, width)
        return (share >= share.max() / 2) & (share > 0)

    def placed(self, placements: Sequence[Placement], height: int, width: int) -> Tensor:
        """Share of each pixel that is metal, float32 `[1 H W]`."""
        return torch.stack([self._placed(p, height, width) for p in placements]).amax(0)[None]

    def _placed(self, p: Placement, height: int, width: int) -> Tensor:
        to_shape = _to_shape(p)
        # grid_sample needs the place in the shape of each pixel of the frame: theta [1 2 3].
        shift = self.center[p.shape] - to_shape @ np.array(p.center)
        theta = self.share.new_tensor(np.concatenate([to_shape, shift[:, None]], axis=1))
        grid = functional.affine_grid(theta[None], [1, 1, height, width], align_corners=False)
        shape = self.share[p.shape][None, None]
        if p.scale < 1:
            # Averaged down first: bilinear sampling of every n-th pixel would lose thin metal.
            side = max(4, round(shape.shape[-1] * p.scale))
            shape = functional.interpolate(shape, (side, side), mode="bilinear", antialias=True)
        return functional.grid_sample(shape, grid, align_corners=False)[0, 0]


def _to_shape(p: Placement) -> np.ndarray:
    """`[2 2]`: a place in the frame, relative to the center, to one in the stored shape."""
    cosine, sine = np.cos(p.angle) / p.scale, np.sin(p.angle) / p.scale
    matrix = np.array([[cosine, sine], [-sine, cosine]])
    if p.flip:
        matrix[0] *= -1
    return matrix


def _points(share: np.ndarray, across: np.ndarray) -> np.ndarray:
    """float `[n 2]`: (x, y) of at most 200 pixels that are metal."""
    rows, columns = np.nonzero(share >= share.max() / 2)
    some = slice(None, None, max(1, len(rows) // 200))
    return np.stack([across[columns[some]], across[rows[some]]], axis=1)


class MetalSampler:
    """Samples metal masks and materials at true size, for a cohort and a list of materials."""

    def __init__(self, shapes: Shapes, cohort: Cohort, metals: Sequence[str]) -> None:
        """Raises `InputError` for a cohort with frames of unknown size."""
        if (cohort.frame[cohort.whole] == 0).any():
            raise InputError(
                "the cohort's metal has no size in mm, which this protocol needs: make the cohort "
                "with recipes/syn_cohort.py"
            )
        self.shapes, self.metals, self.frame = shapes, metals, cohort.frame
        known = [made_of.split() for made_of in cohort.made_of.tolist()]
        self.made_of = [[metal for metal in metals if metal in made_of] for made_of in known]
        self.dental = np.array(["amalgam" in made_of for made_of in known])

    def choose(
        self, rng: np.random.Generator, hu: np.ndarray, pixel: float
    ) -> tuple[Sequence[Placement] | Hardware, str]:
        """Metal for a slice (HU `[H W]`, pixels of `pixel` mm) and its material."""
        if rng.random() < HARDWARE_SHARE:
            hardware = choose_hardware(hu, pixel, self.metals, rng)
            if hardware is not None:
                return hardware, hardware.material
        body = hu > -300
        columns = np.nonzero(body.any(0))[0]
        narrow = len(columns) > 0 and (np.ptp(columns) + 1) * pixel < HEAD_MM
        # Frames with fillings are for heads, all others for trunks.
        fits = [bool(made_of) for made_of in self.made_of] & (self.dental == narrow)
        frames = self.shapes.frames[fits[self.shapes.frames]]
        material = str(rng.choice(self.metals))
        area = CROWNS_MM2 if material in DENTAL else AREA_MM2
        sizes = Sizes(hu.shape[1] * pixel, self.frame, frames, area)
        placements = self.shapes.choose_in_mm(rng, body, hu > BONE_HU, sizes)
        made_of = self.made_of[placements[0].shape]
        return placements, str(rng.choice(made_of)) if made_of else material

    def share(self, metal: Sequence[Placement] | Hardware, grid: Grid) -> Tensor:
        """Share of each pixel of a grid that is metal, `[1 1 H W]` on the shapes' device."""
        height, width = grid.height, grid.width
        if isinstance(metal, Hardware):
            share = metal.share(height, width, 10 * grid.pixel)
            return share[None, None].to(self.shapes.share.device)
        share = self.shapes.placed(metal, height, width)[None]
        # The blurred rim of a shape is no metal: gold of 1 % is denser than bone.
        return share.where(share > 0.05, 0)
