"""Metal of true size for slices of a cohort whose pixels are known: drawn implants or shapes."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from unmetal.data.cohort import Cohort
from unmetal.data.shapes import AREA_MM2, CROWNS_MM2, Placement, Shapes, Sizes
from unmetal.physics.geometry import Grid
from unmetal.physics.hardware import BONE_HU, HEAD_MM, Hardware, choose_hardware

DRAWN = 0.6
"""Share of the samples whose implants are drawn; the others have shapes of the cohort."""

DENTAL = ("amalgam", "au")
"""What fillings and crowns are made of, and nothing that is larger."""


class Metalwork:
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
