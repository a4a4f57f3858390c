"""The metal's part of the trace is taken out, and what the prior does not know stays."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from unmetal.physics.completion.images import corrected
from unmetal.physics.completion.metal_fit import MetalRays, completed_and_fitted
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, Simulation, simulate
from unmetal.scan import Scan
from unmetal.units import MU_WATER, mu_to_hu

SIZE = 96
VESSEL_HU = 200.0


def disc(row: float, column: float, radius: float) -> Tensor:
    """float32 `[1 1 H W]`: 1 inside a disc, in pixels."""
    y, x = torch.meshgrid(torch.arange(SIZE) - row, torch.arange(SIZE) - column, indexing="ij")
    return (x**2 + y**2 < radius**2).float()[None, None]


BODY = disc(48, 48, 38) * MU_WATER
VESSEL = disc(48, 48, 3)


def between_hips(photons: float = 1e9) -> Simulation:
    """A vessel between two heads of titanium."""
    clean = BODY + VESSEL * MU_WATER * VESSEL_HU / 1000
    hips = disc(48, 28, 6) + disc(48, 68, 6)
    protocol = Protocol(clinical(SIZE, SIZE, 0.25), photons=photons, scatter=0.002, edge=1)
    return simulate(clean, hips, ["ti"], protocol, torch.Generator().manual_seed(0))


def images(scan: Scan, prior: Tensor) -> tuple[Tensor, Tensor]:
    """HU of the completed and of the fitted sinogram."""
    completed, fitted = completed_and_fitted(scan, prior, MetalRays.of(scan))
    return mu_to_hu(corrected(scan, completed)), mu_to_hu(corrected(scan, fitted))


def mean(hu: Tensor) -> float:
    """HU of the vessel."""
    return hu[VESSEL > 0].mean().item()


def test_a_vessel_that_the_prior_does_not_know_is_kept() -> None:
    simulation = between_hips()
    truth, seen = mean(mu_to_hu(simulation.free_image)), mean(mu_to_hu(simulation.scan.image))
    completed, fitted = (mean(hu) for hu in images(simulation.scan, BODY))
    assert seen < truth - 100, "the slice has a dark band there"
    assert completed < truth - 40, "the prior draws water"
    assert fitted == pytest.approx(truth, abs=20)


def test_rays_that_missed_the_metal_are_as_measured() -> None:
    scan = between_hips().scan
    assert scan.sinogram is not None
    beside = ~MetalRays.of(scan).trace
    for sinogram in completed_and_fitted(scan, BODY, MetalRays.of(scan)):
        assert torch.equal(sinogram[beside], scan.sinogram[beside])
        assert (sinogram - scan.sinogram).abs().max() > 1


def test_without_metal_nothing_changes() -> None:
    scan = between_hips().scan
    assert scan.metal is not None
    nothing = replace(scan, metal=scan.metal & False)
    for sinogram in completed_and_fitted(nothing, BODY, MetalRays.of(nothing)):
        assert torch.equal(sinogram, scan.sinogram)


def test_each_slice_has_a_fit_of_its_own() -> None:
    one, other = between_hips().scan, between_hips(photons=1e5).scan
    both = Scan(
        *(
            torch.cat([getattr(one, name), getattr(other, name)])
            if name != "scanner"
            else one.scanner
            for name in ("image", "scanner", "metal", "sinogram", "trace")
        )
    )
    together = completed_and_fitted(both, BODY.expand(2, -1, -1, -1), MetalRays.of(both))
    for scan, index in ((one, 0), (other, 1)):
        alone = completed_and_fitted(scan, BODY, MetalRays.of(scan))
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[index])
