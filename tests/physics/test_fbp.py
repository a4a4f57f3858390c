"""Theorems about reconstruction: it is unbiased, inverts projection, and is linear."""

import ellipses
import pytest
import torch

from unmetal.physics.projection.fbp import reconstruct
from unmetal.physics.projection.geometry import FanArc, FanFlat, Grid, Parallel
from unmetal.physics.projection.rebin import to_fan, to_parallel
from unmetal.physics.scanner import CT, adn, clinical, reprojection, syndeeplesion

SCANNERS = {
    "adn": adn(),
    "adn, the fan itself": CT(adn().geometry, adn().grid),
    "syndeeplesion": syndeeplesion(),
    "clinical": clinical(192, 192, 0.2),
    "reprojection": reprojection(192, 192, 0.2),
}
DISC = (ellipses.Ellipse(0.15, -0.1, 0.6, 0.6, 0, 0.2),)


@pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS)
def test_a_disc_is_reconstructed_without_bias(scanner):
    grid = scanner.grid
    half = grid.width * grid.pixel / 2
    image = scanner.reconstruct(ellipses.project(scanner.geometry, half, DISC).float())
    inner = (ellipses.Ellipse(0.15, -0.1, 0.5, 0.5, 0, 1.0),)
    inside = ellipses.paint(grid, inner, 1) > 0
    assert image[inside].mean().item() == pytest.approx(0.2, rel=0.002)


@pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS)
def test_projection_and_reconstruction_return_the_phantom(scanner):
    phantom = ellipses.paint(scanner.grid, ellipses.PHANTOM).float()
    again = scanner.reconstruct(scanner.project(phantom))
    psnr = -10 * (((again - phantom) / 0.5) ** 2).mean().log10()
    assert psnr > 33


FANS = {"arc": FanArc(60, 61, 0.012, 9.0), "flat": FanFlat(60, 65, 0.3, 8.0, 7.0)}


@pytest.mark.parametrize("geometry", [*FANS.values(), Parallel(30, 61, 0.1)], ids=str)
def test_with_and_without_a_matrix_is_the_same(geometry):
    grid = Grid(39, 44, 0.1)
    sinogram = torch.rand(2, 1, geometry.views, geometry.bins)
    one, other = (reconstruct(sinogram, geometry, grid, backend=b) for b in ("matrix", "compiled"))
    assert (one - other).norm() < 1e-4 * one.norm()


def test_the_hann_kernel_halves_noise_and_keeps_the_mean():
    scanner = CT(Parallel(180, 129, 0.1), Grid(128, 128, 0.1))
    smooth = CT(scanner.geometry, scanner.grid, kernel="hann")
    noise = torch.randn(1, 1, 180, 129, generator=torch.Generator().manual_seed(0))
    assert smooth.reconstruct(noise).std() < 0.5 * scanner.reconstruct(noise).std()
    sinogram = ellipses.project(scanner.geometry, 6.4, DISC).float()
    means = [ct.reconstruct(sinogram)[0, 0, 64:80, 60:80].mean().item() for ct in (scanner, smooth)]
    assert means[1] == pytest.approx(means[0], rel=0.002)


@pytest.mark.parametrize("fan", FANS.values(), ids=FANS)
def test_rebinning_finds_the_same_lines(fan):
    parallel = Parallel(64, 41, 0.1)
    exact = ellipses.project(parallel, 3.0, ellipses.PHANTOM).float()
    fine = type(fan)(**{**fan.__dict__, "views": 360})
    seen = ellipses.project(fine, 3.0, ellipses.PHANTOM).float()
    assert (to_parallel(seen, fine, parallel) - exact).norm() < 0.02 * exact.norm()
    dense = Parallel(360, 81, 0.05)
    back = to_fan(ellipses.project(dense, 3.0, ellipses.PHANTOM).float(), dense, fan)
    wanted = ellipses.project(fan, 3.0, ellipses.PHANTOM).float()
    inside = (fan.rays()[1].abs() < 1.95).expand_as(wanted)
    assert (back - wanted)[inside].norm() < 0.02 * wanted[inside].norm()


def test_reconstruction_has_a_gradient():
    scanner = CT(FANS["arc"], Grid(24, 24, 0.1))
    x = torch.randn(1, 1, 60, 61, requires_grad=True)
    y = torch.randn(1, 1, 24, 24)
    (gradient,) = torch.autograd.grad((scanner.reconstruct(x) * y).sum(), x)
    other = torch.randn_like(x)
    assert torch.allclose(
        (scanner.reconstruct(other) * y).sum(), (gradient * other).sum(), rtol=1e-3
    )
