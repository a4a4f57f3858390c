"""What looks like metal in a slice and makes no artifact: contrast, calcium, thin stents, leads.

Painted into clean slices, it is what a search for metal must leave alone. Sizes and values are
typical ones, rounded, and wider rather than narrower. Objects are chosen here, by kind, size and
place, and painted by `lookalike_shapes`; nothing is projected, so the slice about them stays as it
was.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from unmetal.physics.implants.lookalike_places import Places
from unmetal.physics.implants.lookalike_shapes import Lookalike, paint

Draw = Callable[[np.random.Generator, float, float, float], list[Lookalike]]
"""Objects at a row and column, with pixels of the mm that come last."""


@dataclass(frozen=True)
class Kind:
    """One kind of lookalike."""

    where: Callable[[Places], np.ndarray]
    """Where it can lie, bool on the grid of `Places`."""
    draw: Draw
    """Draws one or several that belong together, at a (row, column) of the slice."""
    most: int = 3
    """How often it occurs at most."""


def _object(
    rng: np.random.Generator,
    row: float,
    column: float,
    length: tuple[float, float],
    hu: tuple[float, float],
    aspect: tuple[float, float] = (0.7, 1.0),
) -> Lookalike:
    """An ellipse with a length (mm, evenly on a logarithmic scale) and a HU from these ranges."""
    size = math.exp(rng.uniform(math.log(length[0]), math.log(length[1])))
    width, angle = size * rng.uniform(*aspect), rng.uniform(0, math.pi)
    blur, seed = rng.uniform(0.5, 1.0), int(rng.integers(2**31))
    return Lookalike(row, column, size, width, angle, rng.uniform(*hu), blur, seed=seed)


def _waves(rng: np.random.Generator, strength: float) -> tuple[tuple[float, float], ...]:
    return tuple(
        (rng.uniform(0, strength) / k, rng.uniform(0, 2 * math.pi)) for k in (1, 1.5, 2, 3)
    )


def _vessels(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """An artery or vein with contrast: 4 to 30 mm, 150 to 500 HU, in one of six up to 1500; in one
    of three with calcium in its wall."""
    top = 1500 if rng.random() < 1 / 6 else 500
    vessel = _object(rng, row, column, (4, 30), (150, top), (0.5, 1.0))
    if rng.random() > 1 / 3:
        return [vessel]
    plaque = _object(rng, row, column, (2, 8), (500, 2000), (0.3, 0.7))
    turn = rng.uniform(0, 2 * math.pi)
    reach = vessel.width / 2 / pixel
    at = row + reach * math.sin(turn), column + reach * math.cos(turn)
    # Along the wall, which is across the radius.
    return [vessel, replace(plaque, row=at[0], column=at[1], angle=turn + math.pi / 2)]


def _vein(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """A vein full of undiluted contrast: 6 to 22 mm, 1500 to 3071 HU and beyond."""
    vein = _object(rng, row, column, (6, 22), (1500, 3600), (0.4, 1.0))
    return [replace(vein, mottle=rng.uniform(0, 0.15))]


def _bowel(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """Positive contrast in bowel, stomach or bladder: 8 to 70 mm, 300 to 3000 HU, half the time
    below gas or fluid."""
    blob = _object(rng, row, column, (8, 70), (300, 3000), (0.4, 1.0))
    blob = replace(blob, waves=_waves(rng, 0.25), mottle=rng.uniform(0, 0.25))
    if rng.random() < 0.5:
        floats = -980.0 if rng.random() < 0.6 else rng.uniform(0, 60)
        blob = replace(blob, above=floats, level=rng.uniform(-0.7, 0.8))
    return [blob]


def _scattered(
    most: int, reach: float, length: tuple[float, float], hu: tuple[float, float]
) -> Draw:
    """Draws one to `most` small pieces about a place, each at most `reach` mm off."""

    def draw(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
        away = rng.uniform(-reach, reach, (int(rng.integers(1, most + 1)), 2)) / pixel
        places = [(row + down, column + right) for down, right in away]
        return [_object(rng, *at, length, hu, (0.3, 1.0)) for at in places]

    return draw


def _stent(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """A thin ring of 6 to 12 mm, in one of three of up to 34 mm (aorta), a pixel thick, 1500 to
    3000 HU; open, or of 6 to 14 struts; half the time full of contrast."""
    size = (6.0, 12.0) if rng.random() < 2 / 3 else (14.0, 34.0)
    ring = _object(rng, row, column, size, (1500, 3000), (0.75, 1.0))
    struts = int(rng.integers(6, 15)) if rng.random() < 0.5 else 0
    ring = replace(ring, wall=max(pixel, 0.5), struts=struts, blur=rng.uniform(0.5, 0.7))
    lumen = replace(ring, hu=rng.uniform(100, 450), wall=0.0, struts=0)
    return [lumen, ring] if rng.random() < 0.5 else [ring]


def _catheter(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """A catheter or drain across (2 to 6 mm) or along (up to 50 mm) the slice, 400 to 2500 HU."""
    tube = _object(rng, row, column, (2, 6), (400, 2500), (0.8, 1.0))
    if rng.random() < 0.5:
        return [replace(tube, wall=0.8 if tube.length > 3 else 0.0)]
    return [replace(tube, length=rng.uniform(10, 50), width=rng.uniform(1.2, 3))]


def _lead(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """A lead or wire: three to eight pieces of 5 to 20 mm end to end, or its cross-section alone;
    0.8 to 2 mm thick, 1000 to 3071 HU and beyond; in one of four its electrode of 8 to 14 mm."""
    wire = _object(rng, row, column, (0.8, 2), (1000, 4000), (0.8, 1.0))
    parts = [replace(wire, length=wire.length * 1.2)]
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * math.pi)
        for _ in range(int(rng.integers(3, 9))):
            length = rng.uniform(5, 20)
            down, right = (f(angle) * length / 2 / pixel for f in (math.sin, math.cos))
            row, column = row + down, column + right
            # A little longer than the step, so that the tapering ends overlap.
            part = replace(wire, row=row, column=column, length=length * 1.3, angle=angle)
            parts.append(part)
            row, column, angle = row + down, column + right, angle + rng.normal(0, 0.3)
    if rng.random() < 0.25:
        parts.append(_object(rng, row, column, (8, 14), (500, 3071), (0.15, 0.3)))
    return parts


def _specks(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """One to six specks of 1 to 5 pixels, 800 to 3000 HU, within 15 mm: wires in a sheet, crumbs of
    plaster, drops of contrast."""
    pieces = _scattered(6, 15, (1.0, 2.5), (800, 3000))(rng, row, column, 1.0)
    at = [(row + (x.row - row) / pixel, column + (x.column - column) / pixel) for x in pieces]
    # Sizes were drawn in pixels.
    return [
        replace(x, row=r, column=c, length=x.length * pixel, width=x.width * pixel, blur=0.5)
        for x, (r, c) in zip(pieces, at, strict=True)
    ]


def _cement(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """Bone cement, a sclerotic metastasis, a bone island: 4 to 30 mm, 700 to 2800 HU."""
    blob = _object(rng, row, column, (4, 30), (700, 2800), (0.5, 1.0))
    return [replace(blob, waves=_waves(rng, 0.3), mottle=rng.uniform(0, 0.3))]


def _bone(rng: np.random.Generator, row: float, column: float, pixel: float) -> list[Lookalike]:
    """Bone denser by a third to four times within 10 to 50 mm: enamel, petrous bone, cortex read by
    a sharp kernel; 1200 to 3071 HU at most."""
    region = _object(rng, row, column, (10, 50), (1200, 3071), (0.5, 1.0))
    return [replace(region, gain=rng.uniform(0.3, 3.0))]


def _saturated(
    rng: np.random.Generator, row: float, column: float, pixel: float
) -> list[Lookalike]:
    """Any of the dense ones beyond the end of a 12-bit scale: a plateau at 3071 HU."""
    draw = (_vein, _bowel, _stent, _cement)[rng.integers(4)]
    return [replace(x, hu=rng.uniform(3072, 6000)) for x in draw(rng, row, column, pixel)]


KINDS: dict[str, Kind] = {
    "vessels": Kind(Places.soft, _vessels, most=5),
    "vein": Kind(Places.soft, _vein, most=2),
    "bowel": Kind(Places.soft, _bowel, most=4),
    "calcium": Kind(Places.deep, _scattered(8, 25, (1, 8), (500, 3000)), most=3),
    "stent": Kind(Places.soft, _stent, most=2),
    "catheter": Kind(Places.deep, _catheter, most=2),
    "lead": Kind(Places.skin, _lead, most=3),
    "wire": Kind(Places.outside, _lead, most=3),
    "specks": Kind(Places.under_back, _specks, most=3),
    "cement": Kind(Places.bone, _cement, most=2),
    "bone": Kind(Places.bone, _bone, most=3),
    "saturated": Kind(Places.soft, _saturated, most=2),
}
"""Every kind by its name."""


def choose_lookalikes(
    hu: np.ndarray,
    pixel: float,
    body: np.ndarray,
    rng: np.random.Generator,
    kinds: Sequence[str] | None = None,
) -> list[Lookalike]:
    """Objects for a slice, HU `[H W]` with pixels of `pixel` mm and a patient at `body`, bool.

    kinds: names in `KINDS`, each of which occurs once or more; one to four of all by default. Kinds
    without a place in the slice are left out, so an empty slice gets nothing.
    """
    places = Places(hu, pixel, body)
    if kinds is None:
        # Sorted by the draw alone: any mixture of one to four kinds.
        kinds = [str(x) for x in rng.choice(list(KINDS), rng.integers(1, 5), replace=False)]
    chosen = []
    for kind in map(KINDS.__getitem__, kinds):
        where = kind.where(places)
        for _ in range(int(rng.integers(1, kind.most + 1))):
            if (at := places.choose(where, rng)) is not None:
                chosen += kind.draw(rng, *at, pixel)
    return chosen


def paint_lookalikes(
    hu: np.ndarray,
    pixel: float,
    body: np.ndarray,
    rng: np.random.Generator,
    kinds: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The slice with what looks like metal and is none, HU float32 `[H W]`, and where it was
    painted, bool `[H W]`. 11 ms at 512 x 512 on average.

    hu: HU `[H W]`, pixels of `pixel` mm, which stays as it is. body: bool `[H W]`, of
    `derive.body_mask`. kinds: names in `KINDS`, one to four of them at random by default.
    """
    return paint(hu, pixel, choose_lookalikes(hu, pixel, body, rng, kinds))
