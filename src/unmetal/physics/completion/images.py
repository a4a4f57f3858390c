"""Images of a scan whose metal trace was completed: by LI, BHC and NMAR, and from any prior image.

What is reconstructed is the *change* of the sinogram, added to the image. By linearity that is the
reconstruction of the corrected sinogram where the image came from a sinogram, and where the
sinogram came from the image it keeps the image's own resolution.

Each function takes a scan with its scanner, sinogram and trace, and gives `[B 1 H W]` in 1/cm.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from unmetal.physics.beam.polychromatic import powers
from unmetal.physics.completion.inpaint import interpolate, normalized
from unmetal.physics.completion.prior import nmar_prior
from unmetal.scan import Scan

Completion = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Sinogram, a prior's line integrals, bool trace, all `[B 1 V D]` -> completed sinogram:
`inpaint.normalized` or `inpaint.additive`."""


def corrected(scan: Scan, sinogram: Tensor) -> Tensor:
    """The image that belongs to another sinogram, `[B 1 V D]`, of the same scan."""
    scanner, measured, _ = scan.measured()
    return scan.image + scanner.reconstruct(sinogram - measured)


def from_prior(scan: Scan, prior: Tensor, complete: Completion = normalized) -> Tensor:
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


def correct_metal(sinogram: Tensor, path: Tensor, trace: Tensor) -> Tensor:
    """First-order correction of the metal's own beam hardening; metal stays in the sinogram.

    The metal's share q of each ray (`sinogram` minus its interpolation across the trace) is fitted
    by a1 L + a2 L^2 + a3 L^3 of the path L through metal, over the whole trace of a slice; then
    what is not linear in L is taken away. The polynomial without a constant is Verburg and Seco,
    Phys. Med. Biol. 57 (2012), as released with CNNMAR (Zhang and Yu, IEEE TMI 37, 2018).

    sinogram: line integrals `[B 1 V D]`. path: cm in metal `[B 1 V D]`. trace: bool `[B 1 V D]`.
    Each slice of the batch has its own fit. Outside the trace nothing changes.
    """
    thickness = torch.where(trace, path, 0).to(torch.float64)
    metal = torch.where(trace, sinogram - interpolate(sinogram, trace), 0).to(torch.float64)
    # The unit of length is ten times the longest path: the fit is then well conditioned, and where
    # a trace is too small to tell three powers apart, the least-norm answer is the straight line.
    # 1e-300 cm keeps an empty trace from dividing by zero.
    unit = 10 * thickness.amax((1, 2, 3), keepdim=True).clamp_min(1e-300)
    columns = powers((thickness / unit).flatten(1))
    # Least squares by QR: `[B N 3]` columns of L, L^2, L^3 against the metal's share `[B N 1]`.
    q, r = torch.linalg.qr(columns)
    fit = torch.linalg.pinv(r, rtol=1e-6) @ (q.mT @ metal.flatten(1)[..., None])
    # Only L^2 and L^3 go: what is left is linear in the path, as for a monochromatic beam.
    curved = (columns[..., 1:] @ fit[:, 1:]).reshape(sinogram.shape)
    corrected = sinogram - curved.to(sinogram.dtype)
    return torch.where(trace, corrected, sinogram)
