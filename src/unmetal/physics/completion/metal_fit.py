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

from dataclasses import dataclass

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
"""Of reweighting, which has not converged then; the networks of `PriorNet` learned from as many."""

RIDGE = 1e-4
"""Of the normal equations, whose columns have a mean square of 1: lengths that go together, as all
do in a small trace, share their part."""


@dataclass(frozen=True)
class MetalRays:
    """The metal of a scan along its rays; the same whatever the prior."""

    trace: Tensor
    """bool `[B 1 V D]`: rays through metal or a pixel beside it, where its blurred edge is."""
    core: Tensor
    """`[B 1 V D]`, cm: length in metal."""
    edge: Tensor
    """`[B 1 V D]`, cm: length within two pixels of metal."""
    wide: Tensor
    """0 or 1, `[B 1 H W]`: metal and a pixel beside it."""

    @classmethod
    def of(cls, scan: Scan) -> "MetalRays":
        """Those of a scan with metal, sinogram and scanner."""
        scanner, measured, _ = scan.measured()
        assert scan.metal is not None
        core, wide = scan.metal.to(measured), _grown(scan.metal)
        edge = _grown(wide).to(measured) - core
        return cls(
            scanner.trace(wide), scanner.project(core), scanner.project(edge), wide.to(measured)
        )


def completed_and_fitted(scan: Scan, prior: Tensor, metal: MetalRays) -> tuple[Tensor, Tensor]:
    """Two sinograms `[B 1 V D]`: the trace filled from a prior, and the trace as it was measured
    without what the metal added. Both differ from the measured one in `metal.trace` only.

    prior: `[B 1 H W]`, 1/cm.
    """
    scanner, measured, _ = scan.measured()
    prior = smooth(prior.clamp_min(0))
    # Line integrals of the prior, and of what the image has in the place of the metal beyond it.
    tissue = scanner.project(prior)
    excess = scanner.project(metal.wide * (scan.image - prior))
    completed = additive(measured, tissue, metal.trace)
    fitted = completed.clone()
    for index in range(len(measured)):
        # Of one slice: the rays of its trace, `[N]` in float64.
        rays = metal.trace[index, 0]
        columns = (x[index, 0][rays].double() for x in (metal.core, metal.edge, excess, tissue))
        beyond = (measured - completed)[index, 0][rays].double()
        fitted[index, 0][rays] += _residual(_powers(*columns), beyond).to(fitted)
    return completed, fitted


def _powers(core: Tensor, edge: Tensor, excess: Tensor, tissue: Tensor) -> Tensor:
    """`[N 17]`: what metal's part of a line integral may be made of; all 0 where there is none."""
    columns = []
    for x in (core, excess):
        # Its own hardening, and the tissue's, which has changed the beam before the metal.
        columns += [x, x**2, x**3, x * tissue, x * tissue**2, x**2 * tissue]
    columns += [core * excess, edge, edge * tissue, edge * core, edge * excess]
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
