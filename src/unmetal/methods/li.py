"""LI: linear interpolation of the sinogram across the metal trace."""

from typing import ClassVar

from torch import Tensor

from unmetal.methods.method import Method
from unmetal.physics.inpaint import interpolate
from unmetal.scan import Scan


class LI(Method):
    """Kalender, Hebel and Ebersberger, "Reduction of CT artifacts caused by metallic implants",
    Radiology 164 (1987). There is nothing to choose.

    The reconstruction is of the *change* of the sinogram, added to the image. By linearity that is
    the reconstruction of the corrected sinogram where the image came from a sinogram, and where
    the sinogram came from the image it keeps the image's own resolution.
    """

    reads: ClassVar[frozenset[str]] = frozenset({"image", "sinogram", "trace"})

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        scanner, sinogram, trace = scan.measured()
        corrected = interpolate(sinogram, trace)
        return scan.image + scanner.reconstruct(corrected - sinogram)
