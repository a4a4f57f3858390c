"""Images of a scan whose metal trace was completed: by LI, BHC and NMAR, and from any prior image.

What is reconstructed is the *change* of the sinogram, added to the image. By linearity that is the
reconstruction of the corrected sinogram where the image came from a sinogram, and where the
sinogram came from the image it keeps the image's own resolution.

Each function takes a scan with its scanner, sinogram and trace, and gives `[B 1 H W]` in 1/cm.
"""

from collections.abc import Callable

from torch import Tensor

from unmetal.physics.hardening import correct_metal
from unmetal.physics.inpaint import interpolate, normalised
from unmetal.physics.tissue import nmar_prior
from unmetal.scan import Scan

Completion = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Sinogram, a prior's line integrals, bool trace, all `[B 1 V D]` -> completed sinogram:
`inpaint.normalised` or `inpaint.additive`."""


def corrected(scan: Scan, sinogram: Tensor) -> Tensor:
    """The image that belongs to another sinogram, `[B 1 V D]`, of the same scan."""
    scanner, measured, _ = scan.measured()
    return scan.image + scanner.reconstruct(sinogram - measured)


def from_prior(scan: Scan, prior: Tensor, complete: Completion = normalised) -> Tensor:
    """The trace filled in from the line integrals of a prior image, `[B 1 H W]` in 1/cm.

    The prior may come from any method: what the rays beside the metal say then overrules it.
    """
    scanner, sinogram, trace = scan.measured()
    return corrected(scan, complete(sinogram, scanner.project(prior), trace))


def li_image(scan: Scan) -> Tensor:
    """The trace bridged by straight lines; without the metal."""
    _, sinogram, trace = scan.measured()
    return corrected(scan, interpolate(sinogram, trace))


def bhc_image(scan: Scan) -> Tensor:
    """The metal's beam hardening taken out of the trace; with the metal."""
    scanner, sinogram, trace = scan.measured()
    assert scan.metal is not None
    path = scanner.project(scan.metal.to(sinogram.dtype))
    return corrected(scan, correct_metal(sinogram, path, trace))


def nmar_image(scan: Scan) -> Tensor:
    """The trace filled in from three tissues of the LI image; without the metal."""
    assert scan.metal is not None
    return from_prior(scan, nmar_prior(li_image(scan), scan.metal))
