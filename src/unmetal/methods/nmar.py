"""NMAR: normalized metal artifact reduction."""

from typing import ClassVar

from torch import Tensor

from unmetal.methods.method import Method
from unmetal.physics.completion.images import nmar_image
from unmetal.scan import Scan


class NMAR(Method):
    """Meyer, Raupach, Lell, Schmidt and Kachelriess, "Normalized metal artifact reduction (NMAR)
    in computed tomography", Med. Phys. 37 (2010).

    This is the variant that tables call NMAR2: the prior is made from the image after LI, by three
    clusters (air, soft tissue, bone), as in the code released with CNNMAR. The constants are those
    of `physics.completion.prior.nmar_prior` and `physics.completion.inpaint.normalized`.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal", "sinogram", "trace"})

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm, without the metal."""
        return nmar_image(scan)
