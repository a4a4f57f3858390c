"""A network's image made to agree with the rays that missed the metal.

A network answers with what looks right; the rays beside the trace were measured. So its image is
not given back but used as the prior from which the metal trace is filled in, as CNNMAR does with
its own (Zhang and Yu, IEEE Trans Med Imaging 37(6), 2018): nothing changes but what rays through
metal said. Where the artifact is strong a network is least to be relied on, and NMAR's image,
which is made of rays alone, stands in for it. `benchmarks/native_size.py` prints what each part
brings.
"""

import torch
from torch import Tensor
from torch.nn import functional

from unmetal.physics.completion import from_prior, nmar_image
from unmetal.physics.inpaint import additive
from unmetal.physics.tissue import smooth
from unmetal.scan import Scan
from unmetal.units import MU_WATER

TRUST_HU = 50.0
"""Change by the network, HU, at which it and NMAR count the same. For the weights in the package:
better ones deserve more."""

SEVERE_HU = 250.0
"""Change by NMAR, HU, at which it counts as much as the network: what a weak network has not seen
it leaves alone, and its own change does not tell."""

READS = frozenset({"image", "metal", "sinogram", "trace"})
"""Fields of `Scan` that `consistent` needs."""


def consistent(shown: Tensor, image: Tensor, scan: Scan) -> Tensor:
    """The slices of `scan` with the metal trace filled in from a network's image, 1/cm.

    shown: what the network made, `[B 1 H W]` in 1/cm, of `image`, the slices as they came. scan:
    the same slices completed by `READS`, projected again.
    """
    assert scan.metal is not None
    prior = believed(shown, image, nmar_image(scan))
    return from_prior(scan, smooth(torch.where(scan.metal, MU_WATER, prior)), additive)


def believed(shown: Tensor, image: Tensor, other: Tensor) -> Tensor:
    """`shown` where the artifact is slight, `other` where it is strong, `[B 1 H W]`, 1/cm.

    The weight of `shown` is 1 / (1 + (its change / TRUST_HU)^2 + (other's change / SEVERE_HU)^2),
    changes of `image` being means over 9 x 9 pixels.
    """
    doubt = sum(
        (_near(x - image) / (hu * MU_WATER / 1000)) ** 2
        for x, hu in ((shown, TRUST_HU), (other, SEVERE_HU))
    )
    return other + (shown - other) / (1 + doubt)


def _near(change: Tensor) -> Tensor:
    return functional.avg_pool2d(change.abs(), 9, 1, 4, count_include_pad=False)
