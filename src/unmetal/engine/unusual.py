"""What a network has not seen: a warning, not a hallucination."""

from dataclasses import dataclass

import numpy as np

from unmetal.physics.derive import body_mask

PIXEL_MM = (0.3, 2.0)
"""Pixel sizes that bodies in the training data had, with a margin."""

BODY_MM = (80.0, 600.0)
"""Longer side of the bodies in the training data, with a margin."""


@dataclass(frozen=True)
class Caution:
    """One reason to distrust a result."""

    key: str
    """A short name, for the end of a series description: `kvp`."""

    said: str
    """The sentence, with the number found and the numbers expected."""


def unusual(hu: np.ndarray, pixel: float) -> list[Caution]:
    """Each way in which slices, HU `[slices H W]` of `pixel` mm, are unlike the training data."""
    cautions = []
    if not PIXEL_MM[0] <= pixel <= PIXEL_MM[1]:
        said = f"pixels of {pixel:g} mm, trained with {_range(PIXEL_MM)} mm"
        cautions.append(Caution("spacing", said))
    sides = np.array([_longer_side(slice_, pixel) for slice_ in hu])
    if none := int((sides == 0).sum()):
        cautions.append(Caution("no-body", f"no body in {none} of {len(hu)} slices"))
    odd = (sides > 0) & ((sides < BODY_MM[0]) | (sides > BODY_MM[1]))
    if odd.any():
        worst = sides[odd][np.argmax(np.abs(sides[odd] - np.mean(BODY_MM)))]
        said = f"a body {worst:.0f} mm across, trained with {_range(BODY_MM)} mm"
        cautions.append(Caution("size", said))
    if (flat := len(np.unique(hu))) <= 256:
        said = f"only {flat} different values: an 8-bit picture's contrast is not CT's"
        cautions.append(Caution("8-bit", said))
    return cautions


def _longer_side(hu: np.ndarray, pixel: float) -> float:
    """mm; 0 where there is no body."""
    rows, columns = np.nonzero(body_mask(hu, pixel))
    return 0.0 if not len(rows) else pixel * (1 + max(np.ptp(rows), np.ptp(columns)))


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:g} to {bounds[1]:g}"
