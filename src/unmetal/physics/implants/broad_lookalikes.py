"""What looks like metal and makes no artifact, drawn as `priornet` learned to leave it alone.

Contrast, calcium, specks and rings as ellipses of one value, of which `lookalikes` has more kinds
and better shapes: that is for what comes next and for tests that no training has seen. These stay
as they are because the pairs of the weights in the package come from them.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from unmetal.physics.implants.broad_kinds import TURN, disc, log_uniform
from unmetal.physics.implants.primitives import Implant, implant_share

KINDS = ("vessel", "bowel", "calc", "speck", "ring")
"""Equally likely."""

DENSE_HU = (2300.0, 3600.0)
"""HU of all of a slice's objects where they are to pass for metal."""

SHOWN, COUNTED = 0.02, 0.2
"""Share of a pixel from which an object is painted there, and from which the pixel is its."""


@dataclass(frozen=True)
class DenseObject:
    """Ellipses of one value."""

    parts: tuple[Implant, ...]
    hu: float
    blur: float
    """Sigma of its edge, pixels."""


def choose_broad_lookalikes(
    body: np.ndarray, pixel: float, rng: np.random.Generator, dense: bool
) -> list[DenseObject]:
    """One to six objects with a center inside `body` (bool `[H W]`, pixels of `pixel` mm); none for
    a slice without a body. dense: all of them are as dense as `DENSE_HU`."""
    # Drawn in either case, so that what follows does not depend on it.
    count, spots = int(rng.integers(1, 7)), np.argwhere(body)
    if not len(spots):
        return []
    chosen = []
    for _ in range(count):
        row, column = map(float, spots[rng.integers(len(spots))])
        parts, hu = _draw(str(rng.choice(KINDS)), rng, row, column, pixel)
        if dense:
            hu = rng.uniform(*DENSE_HU)
        chosen.append(DenseObject(tuple(parts), hu, rng.uniform(0.4, 1.0)))
    return chosen


def paint_broad_lookalikes(
    hu: np.ndarray, pixel: float, objects: list[DenseObject]
) -> tuple[np.ndarray, np.ndarray]:
    """The slice with these objects, HU float32 `[H W]`, and which pixels are theirs, bool `[H W]`.

    hu: HU float32 `[H W]`, pixels of `pixel` mm, which stays as it is and never becomes less dense.
    """
    painted = np.zeros(hu.shape, bool)
    for one in objects:
        share = implant_share(one.parts, hu.shape[0], hu.shape[1], pixel).numpy()
        share = ndimage.gaussian_filter(share, one.blur)
        # A Gaussian's tails would lift the whole slice by a little.
        denser = hu + share * np.maximum(one.hu - hu, 0)
        hu = np.where(share > SHOWN, denser, hu)
        painted |= share > COUNTED
    return hu, painted


def _draw(
    kind: str, rng: np.random.Generator, row: float, column: float, pixel: float
) -> tuple[list[Implant], float]:
    """The ellipses of one object and its HU.

    A vessel with contrast: 3 to 32 mm, 150 to 900 HU. Bowel with contrast: one to four ellipses of
    4 to 40 mm, 300 to 1500 HU. Calcium: one to three of 0.8 to 9 mm, 500 to 2000 HU. A speck: 0.7
    to 2.5 mm, 1500 to 3500 HU. A ring, as of a thin stent: 5 to 20 mm, wall 0.4 to 1.2 mm, 800 to
    3000 HU.
    """
    if kind == "vessel":
        length = log_uniform(rng, 3, 32)
        width, angle = length * rng.uniform(0.5, 1), rng.uniform(0, TURN)
        return [Implant(row, column, length, width, angle, oval=True)], log_uniform(rng, 150, 900)
    if kind == "bowel":
        parts = _about(rng, (row, column), pixel, 6, (1, 5), (5, 40), (4, 15))
        return parts, log_uniform(rng, 300, 1500)
    if kind == "calc":
        parts = _about(rng, (row, column), pixel, 3, (1, 4), (1, 9), (0.8, 4))
        return parts, log_uniform(rng, 500, 2000)
    if kind == "speck":
        return [disc(row, column, rng.uniform(0.7, 2.5))], log_uniform(rng, 1500, 3500)
    size, wall = log_uniform(rng, 5, 20), rng.uniform(0.4, 1.2)
    return [disc(row, column, size, wall)], log_uniform(rng, 800, 3000)


def _about(
    rng: np.random.Generator,
    place: tuple[float, float],
    pixel: float,
    spread: float,
    count: tuple[int, int],
    length: tuple[float, float],
    width: tuple[float, float],
) -> list[Implant]:
    """Ellipses about a (row, column), fewer than the second of `count`; lengths, widths and the
    standard deviation of their places, `spread`, in mm."""
    parts = []
    for _ in range(int(rng.integers(*count))):
        row, column = (x + rng.normal(0, spread) / pixel for x in place)
        size = log_uniform(rng, *length), log_uniform(rng, *width)
        parts.append(Implant(row, column, *size, rng.uniform(0, TURN), oval=True))
    return parts
