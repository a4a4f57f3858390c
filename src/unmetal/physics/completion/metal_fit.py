"""What a ray through metal has measured beside the metal: the metal's part fitted, and taken out.

A completed sinogram throws away what its trace has measured. But what metal adds to a line integral
(its attenuation, beam hardening, scatter) is nearly a function of the lengths of metal and tissue
on the ray, while anatomy is not. So a polynomial of these lengths is fitted to what the trace holds
beyond a prior's line integrals, and the rest stays: what the prior does not know, with the noise of
a ray through metal. Where metal has stopped all photons that is noise alone, and the completion is
better; `PriorNet` weighs the two.

The polynomial without a constant is Verburg and Seco's, Phys. Med. Biol. 57 (2012), as in
`images.correct_metal`; there it is fitted to the metal's excess over LI, and of the length in metal
alone.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import smooth
from unmetal.scan import Scan

OUTLIER = 0.05
"""Line integral from which a ray counts half or less in the next round of the fit: anatomy that the
prior does not know, 2.5 mm of water."""

ROUNDS = 8
"""Of reweighting; the weights then change by less than a thousandth."""

RIDGE = 1e-4
"""Of the normal equations, whose columns have a mean square of 1: lengths that go together, as all
do in a small trace, share their part."""


def widened_trace(scan: Scan) -> Tensor:
    """bool `[B 1 V D]`: rays through metal or a pixel beside it, where its blurred edge is."""
    scanner, _, _ = scan.measured()
    assert scan.metal is not None
    return scanner.trace(_grown(scan.metal))


def completed_and_fitted(scan: Scan, prior: Tensor) -> tuple[Tensor, Tensor]:
    """Two sinograms `[B 1 V D]`: the trace filled from a prior, and the trace as it was measured
    without what the metal added. Both differ from the measured one in `widened_trace` only.

    prior: `[B 1 H W]`, 1/cm.
    """
    scanner, measured, _ = scan.measured()
    assert scan.metal is not None
    trace, prior = widened_trace(scan), smooth(prior.clamp_min(0))
    # Line integrals of the prior; cm in metal, and in its edge; what the image has of the metal.
    tissue = scanner.project(prior)
    core, wide = scan.metal.to(measured), _grown(scan.metal).to(measured)
    lengths = scanner.project(core), scanner.project(_grown(wide > 0).to(measured) - core)
    metal = scanner.project(wide * (scan.image - prior))
    completed = additive(measured, tissue, trace)
    fitted = completed.clone()
    for index in range(len(measured)):
        # Of one slice: the rays of its trace, `[N]` in float64.
        rays = trace[index, 0]
        columns = (x[index, 0][rays].double() for x in (*lengths, metal, tissue))
        beyond = (measured - completed)[index, 0][rays].double()
        fitted[index, 0][rays] += _residual(_powers(*columns), beyond).to(fitted)
    return completed, fitted


def _powers(core: Tensor, edge: Tensor, metal: Tensor, tissue: Tensor) -> Tensor:
    """`[N 17]`: what a metal's part of a line integral may be made of; all 0 where there is none."""
    columns = []
    for x in (core, metal):
        # Its own hardening, and the tissue's, which has changed the beam before the metal.
        columns += [x, x**2, x**3, x * tissue, x * tissue**2, x**2 * tissue]
    columns += [core * metal, edge, edge * tissue, edge * core, edge * metal]
    return torch.stack(columns, -1)


def _residual(columns: Tensor, values: Tensor) -> Tensor:
    """Values `[N]` minus their robust fit by columns `[N K]`, by iterated reweighting."""
    columns = columns / columns.pow(2).mean(0).sqrt().clamp_min(1e-9)
    ridge = RIDGE * torch.eye(columns.shape[1]).to(columns)
    residual, weight = values, torch.ones_like(values)
    for _ in range(ROUNDS if len(values) else 0):
        weighted = (columns * weight[:, None]).mT / weight.sum()
        residual = values - columns @ torch.linalg.solve(
            weighted @ columns + ridge, weighted @ values
        )
        # Cauchy's weights: a ray that fits badly has met what is no metal, or has no photons.
        weight = 1 / (1 + (residual / OUTLIER) ** 2)
    return residual


def _grown(mask: Tensor) -> Tensor:
    """bool `[B 1 H W]` by a pixel in all eight directions."""
    return F.max_pool2d(mask.float(), 3, 1, 1) > 0
