"""Implants chosen for a slice as broadly as `priornet` learned them: several, of any kind."""

import numpy as np

from unmetal.physics.implants.broad_kinds import BROAD_KINDS, pick
from unmetal.physics.implants.kinds import KINDS, Anatomy, Hardware

DRAWN = ("screws", *BROAD_KINDS)
"""The names that are drawn from: screws across a vertebra leave the worst streaks, so twice."""

LEAST_MM2 = 20.0
"""Area of the place of a catalogue's kind below which it is noise, as in `kinds`."""

TRIES = 6
"""Kinds that are drawn at most until one has a place in the slice."""


def choose_broad_hardware(hu: np.ndarray, pixel: float, rng: np.random.Generator) -> list[Hardware]:
    """One to three implants for a slice, HU `[H W]` with pixels of `pixel` mm; none for a slice
    without a body. Seven in ten are of `BROAD_KINDS`, the others of `kinds.KINDS`."""
    anatomy = Anatomy(hu, pixel)
    if not anatomy.body.any():
        return []
    chosen = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 2, 3]))):
        for _ in range(TRIES):
            draw = _catalogue_hardware if rng.random() < 0.3 else _broad_hardware
            hardware = draw(rng, anatomy)
            if hardware is not None and hardware.parts:
                chosen.append(hardware)
                break
    return chosen


def _catalogue_hardware(rng: np.random.Generator, anatomy: Anatomy) -> Hardware | None:
    areas = {
        name: kind.where(anatomy).sum() * anatomy.pixel * anatomy.pixel
        for name, kind in KINDS.items()
    }
    fitting = [name for name, area in areas.items() if area > LEAST_MM2]
    if not fitting:
        return None
    name = str(rng.choice(fitting))
    kind = KINDS[name]
    # The metal is drawn last, here and below: the order is part of what a seed means.
    parts = kind.parts(rng, anatomy, *pick(rng, kind.where(anatomy)))
    return Hardware(name, str(rng.choice(kind.metals)), tuple(parts))


def _broad_hardware(rng: np.random.Generator, anatomy: Anatomy) -> Hardware | None:
    name = str(rng.choice(DRAWN))
    kind = BROAD_KINDS[name]
    parts = kind.draw(rng, anatomy)
    if parts is None:
        return None
    return Hardware(name, str(rng.choice(kind.metals)), tuple(parts))
