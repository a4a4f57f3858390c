"""Filling the metal trace of a sinogram from the rays that missed the metal."""

import torch
from torch import Tensor

BODY = 0.1
"""Share of a view's greatest prior line integral below which a ray has missed the body, or only
grazed it: the quotient of a ray through 3 mm of skin is noise, and NMAR would multiply it along the
whole chord beside it. It matters for metal under the skin, and nowhere else
(benchmarks/reprojection.py)."""


def interpolate(sinogram: Tensor, trace: Tensor) -> Tensor:
    """LI: straight lines across the metal trace, view by view.

    Source: Kalender, Hebel and Ebersberger, Radiology 164 (1987). At the detector's edges the
    nearest clean value is held. A view that is metal from edge to edge is interpolated, bin by
    bin, between the nearest views with a clean ray; before the first and after the last of these
    it repeats them. A sinogram that is all metal comes back as it was. Rays outside the trace are
    untouched.

    sinogram: `[B 1 V D]`, any unit. trace: bool `[B 1 V D]`.
    """
    hopeless = trace.all(-1, keepdim=True).expand_as(trace)
    # First along the detector; then views without one clean ray, across views (`.mT` turns the
    # sinogram by swapping views and bins), which are rare.
    filled = _interpolate_rows(sinogram, trace)
    if not hopeless.any():
        return filled
    return _interpolate_rows(filled.mT, hopeless.mT).mT


def normalized(sinogram: Tensor, prior: Tensor, trace: Tensor) -> Tensor:
    """NMAR: LI of the quotient by a prior image's line integrals, then times these again.

    Source: Meyer et al., Med. Phys. 37 (2010). A ray that misses the prior's body has a quotient
    of noise by nothing, which would spoil every ray interpolated from it: such rays are left out,
    and the nearest ray through the body stands for them. "Misses" is a share of the view's greatest
    line integral, so that the result does not depend on the scale of the prior. A slice without
    one clean ray through the body gets LI. Rays outside the trace are untouched.

    sinogram: `[B 1 V D]`. prior: `[B 1 V D]`, the same unit. trace: bool `[B 1 V D]`.
    """
    # Positive everywhere, for it divides; 1e-6 as in the released CNNMAR.
    prior = prior.clamp_min(0) + 1e-6
    # Metal rays, and rays whose quotient is noise, are bridged in the quotient.
    unknown = trace | (prior < BODY * prior.amax(-1, keepdim=True))
    quotient = interpolate(sinogram / prior, unknown)
    nothing_known = unknown.all(-1, keepdim=True).all(-2, keepdim=True)
    filled = quotient * prior
    if nothing_known.any():
        filled = torch.where(nothing_known, interpolate(sinogram, trace), filled)
    return torch.where(trace, filled, sinogram)


def additive(sinogram: Tensor, prior: Tensor, trace: Tensor) -> Tensor:
    """CNNMAR: LI of the difference from a prior image's line integrals, then plus these again.

    Source: Zhang and Yu, IEEE TMI 37 (2018). Unlike `normalized` it takes the prior's scale as it
    is, and nothing special happens where the prior has no body. Rays outside the trace are
    untouched.

    sinogram: `[B 1 V D]`. prior: `[B 1 V D]`, the same unit. trace: bool `[B 1 V D]`.
    """
    filled = prior + interpolate(sinogram - prior, trace)
    return torch.where(trace, filled, sinogram)


def _interpolate_rows(values: Tensor, holes: Tensor) -> Tensor:
    """Values `[... D]` with straight lines across the `holes` of the last axis.

    A hole at an end holds the nearest value; a row of nothing but holes is unchanged.
    """
    size = values.shape[-1]
    here = torch.arange(size, device=values.device).expand_as(values)
    # Index of the nearest known value on either side of each place, -1 or `size` where there is
    # none.
    left = torch.where(holes, -1, here).cummax(-1).values
    right = torch.where(holes, size, here).flip(-1).cummin(-1).values.flip(-1)
    # A hole at an end has one neighbor, which then counts as both.
    left, right = torch.where(left < 0, right, left), torch.where(right == size, left, right)
    known = left.clamp(0, size - 1), right.clamp(0, size - 1)
    before, after = values.gather(-1, known[0]), values.gather(-1, known[1])
    # Linear interpolation between them.
    share = (here - left).to(values.dtype) / (right - left).clamp_min(1)
    line = before + share * (after - before)
    return torch.where(holes & (left < size), line, values)
