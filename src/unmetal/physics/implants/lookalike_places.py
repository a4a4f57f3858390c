"""Where in a slice objects that look like metal can lie: in soft tissue, bone, at the skin."""

import numpy as np
from scipy import ndimage

from unmetal.physics.implants.lookalike_shapes import BONE_HU


class Places:
    """Where in a slice lookalikes can lie, on a grid coarse enough to be quick.

    hu: HU `[H W]`, pixels of `pixel` mm. body: bool `[H W]`.
    """

    def __init__(self, hu: np.ndarray, pixel: float, body: np.ndarray) -> None:
        self.pixel = pixel
        # About 2.5 mm: a distance transform of a whole slice would cost more than the painting.
        self.step = max(1, round(2.5 / pixel))
        body, hu = body[:: self.step, :: self.step], hu[:: self.step, :: self.step]
        spacing = self.step * pixel
        # mm inside and outside of the skin; the border of the image counts as skin.
        self.depth = ndimage.distance_transform_edt(np.pad(body, 1))[1:-1, 1:-1] * spacing
        # Without a body nothing is near it; the transform would measure to nowhere in particular.
        far = np.full(body.shape, np.inf)
        self.away = ndimage.distance_transform_edt(~body) * spacing if body.any() else far
        rows, columns = np.nonzero(body) if body.any() else (np.zeros(1), np.zeros(1))
        self.body, self.hu = body, hu
        self.below = np.arange(len(body))[:, None] > rows.mean()
        self.central = np.abs(np.arange(body.shape[1]) - columns.mean()) < 0.35 * np.ptp(columns)

    def soft(self) -> np.ndarray:
        """bool, on the grid: soft tissue at least 12 mm deep."""
        return (self.depth > 12) & (np.abs(self.hu - 30) < 130)

    def deep(self) -> np.ndarray:
        """Any tissue at least 8 mm deep: beside bone, in lungs and bowel, too."""
        return self.depth > 8

    def bone(self) -> np.ndarray:
        """Bone, at least 4 mm deep."""
        return (self.hu > BONE_HU) & (self.depth > 4)

    def skin(self) -> np.ndarray:
        """At most 4 mm from the skin, on either side of it."""
        return np.where(self.body, self.depth, self.away) <= max(4.0, self.step * self.pixel)

    def outside(self) -> np.ndarray:
        """In the air, at most 40 mm from the skin."""
        return (self.away > 2) & (self.away < 40)

    def under_back(self) -> np.ndarray:
        """Between the back of a patient who lies on it, and the table."""
        return (self.away > 0) & (self.away < 20) & self.below & self.central

    def choose(self, where: np.ndarray, rng: np.random.Generator) -> tuple[float, float] | None:
        """A (row, column) of the slice inside `where`, or None where that is nowhere."""
        spots = np.flatnonzero(where)
        if not len(spots):
            return None
        row, column = divmod(int(spots[rng.integers(len(spots))]), where.shape[1])
        # Anywhere within the cell of the grid.
        return row * self.step + rng.uniform(0, self.step), (column + rng.random()) * self.step
