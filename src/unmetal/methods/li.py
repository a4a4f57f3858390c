"""LI: linear interpolation of the sinogram across the metal trace."""

from typing import ClassVar

from torch import Tensor

from unmetal.methods.method import Method
from unmetal.physics.completion.images import li_image
from unmetal.scan import Scan


class LI(Method):
    """Kalender, Hebel and Ebersberger, "Reduction of CT artifacts caused by metallic implants",
    Radiology 164 (1987). It has no parameters.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "sinogram", "trace"})

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        return li_image(scan)
