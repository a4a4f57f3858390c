"""Implants of known kinds: at their size, of their metal and about where a surgeon puts them.

Sizes are those of catalogues, rounded, and stand beside each kind. Places follow from the slice
itself: bone, its thickness, the distance from the skin and from the midline of a patient on the
back. That is enough to put screws into a vertebra and not enough to tell a hip from a shoulder.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from unmetal.errors import InputError
from unmetal.physics.beam.attenuation import MATERIALS
from unmetal.physics.implants.primitives import Implant, implant_share

METALS = ("ti", "steel", "cocr", "au", "amalgam")
"""What implants are made of."""

BONE_HU, DENSE_HU = 250.0, 700.0
"""HU above which a pixel is bone, and is dense enough for a tooth or cortical bone."""

HEAD_MM = 230.0
"""Width of a body up to which it is a head or a limb, and no trunk."""


class Anatomy:
    """Landmarks of a slice that implants are placed by: HU `[H W]`, pixels of `pixel` mm."""

    def __init__(self, hu: np.ndarray, pixel: float) -> None:
        self.pixel, self.hu = pixel, hu
        body = ndimage.binary_fill_holes(ndimage.uniform_filter(hu.clip(-1000, 500), 3) > -300)
        self.body = _largest(body)
        # mm to the skin; the border of the image counts as skin.
        self.depth = ndimage.distance_transform_edt(np.pad(self.body, 1))[1:-1, 1:-1] * pixel
        self.bone = (hu > BONE_HU) & self.body
        # Local share of bone: half and more in a joint or a vertebra, less in ribs and thin cortex.
        self.thick = ndimage.gaussian_filter(self.bone.astype(np.float32), 6 / pixel) > 0.5
        rows, columns = np.nonzero(self.body) if self.body.any() else (np.arange(1), np.arange(1))
        self.middle = (float(rows.mean()), float(columns.min() + columns.max()) / 2)
        self.width = float(np.ptp(columns) + 1) * pixel
        # mm from the midline, and below the middle of the body (towards the table).
        self.aside = np.abs(np.arange(hu.shape[1])[None] - self.middle[1]) * pixel
        self.below = (np.arange(hu.shape[0])[:, None] - self.middle[0]) * pixel

    def joint(self) -> np.ndarray:
        """bool `[H W]`: thick bone of a trunk, a fifth of its width from the midline and more."""
        return self.thick & (self.aside > 0.2 * self.width) & (self.width > HEAD_MM)

    def vertebra(self) -> np.ndarray:
        """bool `[H W]`: thick bone of a trunk on its midline, behind its middle."""
        return self.thick & (self.aside < 25) & (self.below > 0) & (self.width > HEAD_MM)

    def under_skin(self) -> np.ndarray:
        """bool `[H W]`: fat and muscle 10 to 20 mm under the skin of the front, beside the
        midline."""
        near = (self.depth > 10) & (self.depth < 20) & (self.below < -20)
        return near & (self.aside > 40) & (self.aside < 110)

    def soft(self) -> np.ndarray:
        """bool `[H W]`: soft tissue 2 cm and more under the skin."""
        return (self.depth > 20) & (np.abs(self.hu) < 150)

    def dense(self) -> np.ndarray:
        """bool `[H W]`: teeth, in a head; cortical bone in any other slice."""
        return (self.hu > DENSE_HU) & self.body & (self.depth > 5)


def _largest(mask: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    return pieces == areas.argmax()


Parts = list[Implant]
DrawParts = Callable[[np.random.Generator, Anatomy, float, float], Parts]


@dataclass(frozen=True)
class Kind:
    """One kind of implant."""

    metals: tuple[str, ...]
    """Names in `attenuation.MATERIALS` that it is made of."""
    where: Callable[[Anatomy], np.ndarray]
    """Where it can go, bool `[H W]`."""
    parts: DrawParts
    """Draws it at a (row, column) of the slice."""


def _disc(row: float, column: float, size: float, wall: float = 0.0) -> Implant:
    return Implant(row, column, size, size, 0.0, oval=True, wall=wall)


def _head(rng: np.random.Generator, anatomy: Anatomy, row: float, column: float) -> Parts:
    """A hip's head (28 to 36 mm), half the time in a metal cup (48 to 58 mm, wall 3 to 4 mm); one
    in three patients has both hips done."""
    size, cup = rng.choice([28.0, 32.0, 36.0]), rng.uniform(48, 58)
    wall = rng.uniform(3, 4) if rng.random() < 0.5 else 0.0
    columns = [column]
    # The same joint mirrored at the midline.
    other = 2 * anatomy.middle[1] - column
    if rng.random() < 1 / 3 and _bone_near(anatomy, row, other):
        columns.append(other)
    parts = [_disc(row, where, size) for where in columns]
    return parts + [_disc(row, where, cup, wall) for where in columns if wall]


def _bone_near(anatomy: Anatomy, row: float, column: float) -> bool:
    reach = round(15 / anatomy.pixel)
    top, left = max(0, round(row) - reach), max(0, round(column) - reach)
    near = anatomy.thick[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    return bool(near.any())


def _stem(rng: np.random.Generator, anatomy: Anatomy, row: float, column: float) -> Parts:
    """A hip's stem or an intramedullary nail, cut across: 9 to 16 mm."""
    length = rng.uniform(9, 16)
    width = length * rng.uniform(0.7, 1)
    return [Implant(row, column, length, width, rng.uniform(0, math.pi), oval=True)]


def _rods(rng: np.random.Generator, anatomy: Anatomy, row: float, column: float) -> Parts:
    """Two rods (5.5 to 6.35 mm) behind a vertebra, 30 to 40 mm apart; half the time a slice shows
    their pedicle screws (5 to 7.5 mm thick, 35 to 50 mm long, converging by 10 to 25 degrees)."""
    pixel, middle = anatomy.pixel, anatomy.middle[1]
    # Behind the last row of bone: where the spinous process ends.
    rows = np.nonzero(anatomy.vertebra())[0]
    behind = float(rows.max()) + rng.uniform(0, 6) / pixel
    apart, size = rng.uniform(15, 20) / pixel, rng.uniform(5.5, 6.35)
    sides = (-1, 1) if rng.random() < 0.85 else (1,)
    parts = [_disc(behind, middle + side * apart, size) for side in sides]
    if rng.random() < 0.5:
        length, thick = rng.uniform(35, 50), rng.uniform(5, 7.5)
        lean = math.radians(rng.uniform(10, 25))
        for side in sides:
            # From the rod to the front and the midline.
            down, right = -math.cos(lean), -side * math.sin(lean)
            middle_row = behind + down * length / 2 / pixel
            middle_column = middle + side * apart + right * length / 2 / pixel
            angle = math.atan2(down, right)
            parts.append(Implant(middle_row, middle_column, length, thick, angle, oval=False))
    return parts


def _port(rng: np.random.Generator, anatomy: Anatomy, row: float, column: float) -> Parts:
    """A port's chamber along the skin: 22 to 30 mm wide, 9 to 13 mm high, wall 1.5 to 2.5 mm."""
    top, left = round(row), round(column)
    near = anatomy.depth[max(0, top - 3) : top + 4, max(0, left - 3) : left + 4]
    # Gradient of the depth points away from the skin; the port lies across it.
    deeper = [float(np.diff(near, axis=axis).mean()) for axis in (0, 1)]
    angle = math.atan2(deeper[1], -deeper[0]) + rng.uniform(-0.1, 0.1)
    size = (rng.uniform(22, 30), rng.uniform(9, 13))
    return [Implant(row, column, *size, angle, oval=False, wall=rng.uniform(1.5, 2.5))]


def _scattered(
    fewest: int, most: int, reach: float, length: tuple[float, float], width: tuple[float, float]
) -> DrawParts:
    """Draws `fewest` to `most` small pieces about a place, each at most `reach` off along rows and
    columns; all in mm."""

    def draw(rng: np.random.Generator, anatomy: Anatomy, row: float, column: float) -> Parts:
        count = int(rng.integers(fewest, most + 1))
        away = rng.uniform(-reach, reach, (count, 2)) / anatomy.pixel
        pieces = []
        for down, right in away:
            # The order of the draws is part of what a seed means.
            size = rng.uniform(*length), rng.uniform(*width)
            angle = rng.uniform(0, math.pi)
            pieces.append(Implant(row + down, column + right, *size, angle, oval=False))
        return pieces

    return draw


# Surgical clips, and markers for radiotherapy.
_clips = _scattered(2, 6, reach=10, length=(4, 9), width=(0.8, 1.5))
_markers = _scattered(1, 3, reach=12, length=(3, 5), width=(0.8, 1.2))


def _fillings(rng: np.random.Generator, anatomy: Anatomy, row: float, column: float) -> Parts:
    """One to four fillings or crowns (3 to 10 mm) within 4 cm, each in dense bone or a tooth."""
    parts = []
    places = np.argwhere(anatomy.dense())
    # Within 40 mm of the first place: teeth of one arch.
    near = places[np.hypot(*(places - (row, column)).T) * anatomy.pixel < 40]
    for _ in range(int(rng.integers(1, 5))):
        at = near[rng.integers(len(near))] if len(near) else (row, column)
        length = rng.uniform(3, 10)
        width = length * rng.uniform(0.5, 1)
        angle = rng.uniform(0, math.pi)
        parts.append(Implant(float(at[0]), float(at[1]), length, width, angle, oval=True))
    return parts


KINDS: dict[str, Kind] = {
    "hip": Kind(("cocr", "steel"), Anatomy.joint, _head),
    "stem": Kind(("ti", "cocr", "steel"), Anatomy.joint, _stem),
    "spine": Kind(("ti", "steel", "cocr"), Anatomy.vertebra, _rods),
    "port": Kind(("ti", "steel"), Anatomy.under_skin, _port),
    "clips": Kind(("ti", "steel"), Anatomy.soft, _clips),
    "markers": Kind(("au",), Anatomy.soft, _markers),
    "fillings": Kind(("amalgam", "au"), Anatomy.dense, _fillings),
}
"""Every kind by its name."""

ALIKE = {"fe": "steel", "cu": "au"}
"""Pure metals that nothing is made of, which may be asked for, and whose kinds they then take."""


@dataclass(frozen=True)
class Hardware:
    """An implant placed in a slice."""

    kind: str
    """A name in `KINDS`."""
    material: str
    """A name in `attenuation.MATERIALS`."""
    parts: tuple[Implant, ...]

    def share(self, height: int, width: int, pixel: float) -> Tensor:
        """Share of each pixel (mm) that is metal, float32 `[H W]`."""
        return implant_share(self.parts, height, width, pixel)


def choose_hardware(
    hu: np.ndarray, pixel: float, metals: Sequence[str], rng: np.random.Generator
) -> Hardware | None:
    """An implant for a slice, HU `[H W]` with pixels of `pixel` mm, made of one of `metals`.

    Kinds that have a place in the slice are equally likely. A metal none of whose kinds has one
    goes anywhere in the body. None for a slice without a body.

    Raises `InputError` for a metal that there is not.
    """
    if unknown := [metal for metal in metals if metal not in MATERIALS]:
        raise InputError(f"no metal {unknown[0]!r}; there are {', '.join(MATERIALS)}")
    anatomy = Anatomy(hu, pixel)
    if not anatomy.body.any():
        return None
    made = {
        name: [metal for metal in metals if ALIKE.get(metal, metal) in kind.metals]
        for name, kind in KINDS.items()
    }
    # A place of a few pixels is noise or a calcification.
    places = {name: kind.where(anatomy) for name, kind in KINDS.items() if made[name]}
    fitting = [name for name, place in places.items() if place.sum() * pixel**2 > 20]
    if fitting:
        name = str(rng.choice(fitting))
        spots = np.argwhere(places[name])
    else:
        name = str(rng.choice([name for name in made if made[name] and name != "spine"]))
        spots = np.argwhere(anatomy.body)
    row, column = map(float, spots[rng.integers(len(spots))])
    material = str(rng.choice(made[name]))
    return Hardware(name, material, tuple(KINDS[name].parts(rng, anatomy, row, column)))


def metal_of(
    hardware: Hardware | None, height: int, width: int, pixel: float
) -> tuple[Tensor, tuple[str, ...]]:
    """What `simulate` takes: share of the pixel `[1 1 H W]`, and its material."""
    if hardware is None:
        return torch.zeros(1, 1, height, width), ("ti",)
    return hardware.share(height, width, pixel)[None, None], (hardware.material,)
