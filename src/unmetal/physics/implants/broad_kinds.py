"""Implants drawn broader than catalogues have them: what `priornet` learned to complete.

A network that has seen more than there is need not extrapolate, so sizes, metals and places go
beyond what is implanted, on purpose. Each kind's docstring states its sizes in mm; they are from
memory. `kinds.KINDS` has what is like catalogues; `broad_hardware` draws from both.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unmetal.physics.implants.kinds import HEAD_MM, Anatomy, Parts
from unmetal.physics.implants.primitives import Implant

TURN = 3.14
"""Radians, half a turn: the digits are part of what a seed means."""

VERTEBRA_MM2, TEETH_MM2 = 60.0, 20.0
"""Area of a vertebra, and of dense bone, below which it is noise."""


@dataclass(frozen=True)
class BroadKind:
    """One kind of implant."""

    metals: tuple[str, ...]
    """Names in `attenuation.MATERIALS`, each as often as it is to be likely."""
    draw: Callable[[np.random.Generator, Anatomy], Parts | None]
    """Draws its parts anywhere in a slice; None where the slice has no place for it."""


def pick(rng: np.random.Generator, mask: np.ndarray) -> tuple[float, float]:
    """A (row, column) of a bool `[H W]` that is true somewhere."""
    row, column = np.argwhere(mask)[rng.integers(np.count_nonzero(mask))]
    return float(row), float(column)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def disc(row: float, column: float, size: float, wall: float = 0.0) -> Implant:
    """A round object of `size` mm."""
    return Implant(row, column, size, size, 0.0, oval=True, wall=wall)


def _vertebra(anatomy: Anatomy) -> np.ndarray | None:
    place = anatomy.vertebra()
    return place if place.sum() * anatomy.pixel * anatomy.pixel > VERTEBRA_MM2 else None


def _screws(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """Pedicle screws on one or both sides of a vertebra (30 to 55 mm long, 4.5 to 8.5 mm thick,
    diverging by 5 to converging by 35 degrees), in seven of ten with their rod's head (8 to 14 mm);
    in three of ten a crosslink behind (25 to 45 mm long, 3 to 6 mm thick)."""
    if (place := _vertebra(anatomy)) is None:
        return None
    (row, _), pixel, middle = pick(rng, place), anatomy.pixel, anatomy.middle[1]
    parts = []
    for side in (-1, 1):
        if rng.random() < 0.12:
            continue
        length, thick = rng.uniform(30, 55), rng.uniform(4.5, 8.5)
        lean = math.radians(rng.uniform(-5, 35))
        # Unit vector from the screw's head forward, and towards the midline where it converges.
        down, right = -math.cos(lean), -side * math.sin(lean)
        head = row + rng.uniform(5, 35) / pixel, middle + side * rng.uniform(12, 24) / pixel
        center = head[0] + down * length / 2 / pixel, head[1] + right * length / 2 / pixel
        parts.append(Implant(*center, length, thick, math.atan2(down, right), oval=False))
        if rng.random() < 0.7:
            parts.append(disc(*head, rng.uniform(8, 14)))
    if rng.random() < 0.3:
        size = rng.uniform(25, 45), rng.uniform(3, 6)
        parts.append(Implant(row + 25 / pixel, middle, *size, math.pi / 2, oval=False))
    return parts


def _cage(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """An interbody cage: 18 to 34 by 12 to 24 mm, round or square, wall 1.2 to 4 mm."""
    vertebra = _vertebra(anatomy)
    place = anatomy.thick if vertebra is None else vertebra
    if not place.any():
        return None
    center = pick(rng, place)
    size, angle = (rng.uniform(18, 34), rng.uniform(12, 24)), rng.uniform(0, math.pi)
    oval = bool(rng.random() < 0.5)
    return [Implant(*center, *size, angle, oval, wall=rng.uniform(1.2, 4))]


def _coil(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """A packed embolization coil: 3 to 14 mm, solid."""
    if not anatomy.soft().any():
        return None
    center, size = pick(rng, anatomy.soft()), rng.uniform(3, 14)
    width, angle = size * rng.uniform(0.6, 1), rng.uniform(0, TURN)
    return [Implant(*center, size, width, angle, oval=True)]


def _seeds(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """3 to 29 brachytherapy seeds (0.8 to 4.5 mm long, 0.8 mm thick) about a place, with a standard
    deviation of 12 mm."""
    if not anatomy.soft().any():
        return None
    (row, column), count = pick(rng, anatomy.soft()), int(rng.integers(3, 30))
    parts = []
    for _ in range(count):
        down, right = rng.normal(0, 12, 2) / anatomy.pixel
        length, angle = rng.uniform(0.8, 4.5), rng.uniform(0, TURN)
        parts.append(Implant(row + down, column + right, length, 0.8, angle, oval=False))
    return parts


def _stent(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """One to three stents across: a ring of 5 to 32 mm of 6 to 23 struts (0.3 to 1 mm), in four of
    ten with a closed wall of 0.15 to 0.4 mm."""
    if not anatomy.soft().any():
        return None
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        (row, column), size = pick(rng, anatomy.soft()), log_uniform(rng, 5, 32)
        count, thick = int(rng.integers(6, 24)), rng.uniform(0.3, 1.0)
        reach = size / 2
        for angle in np.arange(count) * 2 * math.pi / count + rng.uniform(0, 1):
            down, right = reach * math.sin(angle), reach * math.cos(angle)
            at = row + down / anatomy.pixel, column + right / anatomy.pixel
            parts.append(disc(*at, thick))
        if rng.random() < 0.4:
            parts.append(disc(row, column, size, rng.uniform(0.15, 0.4)))
    return parts


def _wires(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """One to five sternal wires 6 to 25 mm under the skin of the front: 3 to 22 mm long, 0.8 to
    1.6 mm thick."""
    near = (anatomy.depth > 6) & (anatomy.depth < 25) & (anatomy.below < -20) & (anatomy.aside < 45)
    return _rods(rng, near, (1, 6), (3, 22), (0.8, 1.6), oval=False)


def _leads(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """One to five pieces of leads in soft tissue: 1.2 to 15 mm long, 1 to 3 mm thick."""
    return _rods(rng, anatomy.soft(), (1, 6), (1.2, 15), (1.0, 3.0), oval=True)


def _rods(
    rng: np.random.Generator,
    place: np.ndarray,
    count: tuple[int, int],
    length: tuple[float, float],
    width: tuple[float, float],
    oval: bool,
) -> Parts | None:
    """Pieces apart from each other, sizes in mm; fewer than the second of `count`."""
    if not place.any():
        return None
    parts = []
    for _ in range(int(rng.integers(*count))):
        center = pick(rng, place)
        size = rng.uniform(*length), rng.uniform(*width)
        parts.append(Implant(*center, *size, rng.uniform(0, TURN), oval))
    return parts


def _pacemaker(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """A generator 8 to 25 mm under the skin (25 to 55 by 6 to 14 mm; solid, or a wall of 1 or
    2 mm), and up to four leads across (1 to 3 mm) in soft tissue."""
    near = (anatomy.depth > 8) & (anatomy.depth < 25) & (anatomy.below < 10)
    if not near.any():
        return None
    center, angle = pick(rng, near), rng.uniform(0, TURN)
    size = rng.uniform(25, 55), rng.uniform(6, 14)
    wall = float(rng.choice([0.0, 1.0, 2.0]))
    parts = [Implant(*center, *size, angle, oval=False, wall=wall)]
    soft = anatomy.soft()
    if soft.any():
        for _ in range(int(rng.integers(0, 5))):
            parts.append(disc(*pick(rng, soft), rng.uniform(1.0, 3.0)))
    return parts


def _jaws(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """Two to ten fillings or crowns anywhere in dense bone, so in both jaws: 3 to 12 mm."""
    dense = anatomy.dense()
    if dense.sum() * anatomy.pixel * anatomy.pixel < TEETH_MM2:
        return None
    parts = []
    for _ in range(int(rng.integers(2, 11))):
        center, length = pick(rng, dense), rng.uniform(3, 12)
        width, angle = length * rng.uniform(0.5, 1), rng.uniform(0, TURN)
        oval = bool(rng.random() < 0.7)
        parts.append(Implant(*center, length, width, angle, oval))
    return parts


def _hips(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """A hip's head (22 to 52 mm), half the time in a cup (8 to 22 mm wider, wall 2.5 to 5 mm); in
    six of ten a second head on the other side, higher or lower by up to 8 mm."""
    place = anatomy.thick & (anatomy.aside > 0.15 * anatomy.width)
    if anatomy.width < HEAD_MM or not place.any():
        return None
    (row, column), size = pick(rng, place), rng.uniform(22, 52)
    parts = [disc(row, column, size)]
    if rng.random() < 0.5:
        parts.append(disc(row, column, size + rng.uniform(8, 22), rng.uniform(2.5, 5)))
    if rng.random() < 0.6:
        # Mirrored at the midline, whether there is bone or not.
        other, second = 2 * anatomy.middle[1] - column, size * rng.uniform(0.8, 1.2)
        parts.append(disc(row + rng.uniform(-8, 8) / anatomy.pixel, other, second))
    return parts


def _nail(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """An intramedullary nail cut across or aslant (8 to 18 mm, up to twice as long; in one of three
    hollow, wall 2.5 mm) and up to two screws through it (30 to 90 mm long, 4 to 11 mm thick)."""
    row, column = pick(rng, anatomy.thick if anatomy.thick.any() else anatomy.body)
    size = rng.uniform(8, 18)
    length, angle = size * rng.uniform(1, 2), rng.uniform(0, TURN)
    wall = float(rng.choice([0.0, 0.0, 2.5]))
    parts = [Implant(row, column, length, size, angle, oval=True, wall=wall)]
    for _ in range(int(rng.integers(0, 3))):
        angle, long = rng.uniform(0, TURN), rng.uniform(30, 90)
        down, right = rng.uniform(-6, 6, 2) / anatomy.pixel
        parts.append(
            Implant(row + down, column + right, long, rng.uniform(4, 11), angle, oval=False)
        )
    return parts


def _plate(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """A plate on bone (15 to 90 mm long, 2 to 5 mm thick) and up to three screws across it (10 to
    40 mm long, 2.5 to 5 mm thick)."""
    row, column = pick(rng, anatomy.bone if anatomy.bone.any() else anatomy.body)
    angle = rng.uniform(0, TURN)
    size = rng.uniform(15, 90), rng.uniform(2, 5)
    parts = [Implant(row, column, *size, angle, oval=False)]
    for _ in range(int(rng.integers(0, 4))):
        along = rng.uniform(-15, 15) / anatomy.pixel
        at = row + along * math.sin(angle), column + along * math.cos(angle)
        size = rng.uniform(10, 40), rng.uniform(2.5, 5)
        parts.append(Implant(*at, *size, angle + math.pi / 2, oval=False))
    return parts


def _any(rng: np.random.Generator, anatomy: Anatomy) -> Parts | None:
    """One to five ellipses or rectangles of 1.5 to 60 mm anywhere in the body, up to ten times as
    long as wide, at least 1 mm wide; in one of four hollow, wall 2 mm."""
    parts = []
    for _ in range(int(rng.integers(1, 6))):
        center, length = pick(rng, anatomy.body), log_uniform(rng, 1.5, 60)
        width = max(1.0, length * math.exp(-rng.uniform(0, 2.3)))
        angle, oval = rng.uniform(0, TURN), bool(rng.random() < 0.6)
        wall = float(rng.choice([0.0, 0.0, 0.0, 2.0]))
        parts.append(Implant(*center, length, width, angle, oval, wall))
    return parts


BROAD_KINDS: dict[str, BroadKind] = {
    "screws": BroadKind(("ti", "ti", "steel", "cocr"), _screws),
    "cage": BroadKind(("ti", "ti", "steel", "cocr"), _cage),
    "coil": BroadKind(("au", "au", "steel"), _coil),
    "seeds": BroadKind(("au", "ti", "steel"), _seeds),
    "stent": BroadKind(("ti", "steel", "cocr"), _stent),
    "wires": BroadKind(("steel", "steel", "ti"), _wires),
    "pacemaker": BroadKind(("ti", "steel", "ti"), _pacemaker),
    "leads": BroadKind(("steel", "cocr", "au"), _leads),
    "jaws": BroadKind(("amalgam", "au", "cocr"), _jaws),
    "hips": BroadKind(("cocr", "steel", "ti", "cocr"), _hips),
    "nail": BroadKind(("ti", "steel", "cocr"), _nail),
    "plate": BroadKind(("ti", "steel", "steel"), _plate),
    "any": BroadKind(("ti", "steel", "cocr", "au", "amalgam", "cu"), _any),
}
"""Every kind by its name."""
