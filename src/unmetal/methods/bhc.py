"""BHC: first-order correction of the metal's beam hardening."""

from typing import ClassVar

from torch import Tensor

from unmetal.methods.method import Method
from unmetal.physics.completion.images import bhc_image
from unmetal.scan import Scan


class BHC(Method):
    """Verburg and Seco, "CT metal artifact reduction method correcting for beam hardening and
    missing projections", Phys. Med. Biol. 57 (2012), its first step, as Zhang and Yu use it for
    CNNMAR (IEEE TMI 37, 2018).

    What the metal adds to a ray is fitted by a cubic of the path through metal, one fit a slice,
    and made linear in it. All metal is taken as one material. Metal stays in the image.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, with the metal."""
        return bhc_image(scan)
