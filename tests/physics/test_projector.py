"""Theorems about projections: exact integrals, transposes, two backends that are one operator,
which is Joseph's, pixel by pixel."""

import math

import ellipses
import pytest
import torch

from unmetal.physics.projection.geometry import FanArc, FanFlat, Grid, MatlabParallel, Parallel
from unmetal.physics.projection.projector import apply, backproject, project
from unmetal.physics.scanner import adn, clinical, reprojection, syndeeplesion

SMALL = {
    "arc": FanArc(24, 41, 0.012, 9.0),
    "flat": FanFlat(20, 45, 0.3, 8.0, 7.0),
    "parallel": Parallel(18, 43, 0.11),
    # Not divisible into quarter turns: the whole matrix is stored.
    "odd views": FanArc(21, 41, 0.012, 9.0),
}
GRIDS = {
    "square": Grid(32, 32, 0.1),
    "MATLAB's axis": Grid(32, 32, 0.1, (15.0, 15.0)),
    "not square": Grid(20, 31, 0.12),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("geometry", SMALL.values(), ids=SMALL)
@pytest.mark.parametrize("backend", ["matrix", "compiled"])
def test_backprojection_is_the_transpose(geometry, grid, backend):
    x = torch.randn(2, 1, grid.height, grid.width, generator=torch.Generator().manual_seed(0))
    y = torch.randn(2, 1, geometry.views, geometry.bins, generator=torch.Generator().manual_seed(1))
    p = project(x, geometry, grid, backend)
    b = backproject(y, geometry, grid, backend)
    assert abs((p * y).sum() - (x * b).sum()) < 1e-5 * p.norm() * y.norm()


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("geometry", SMALL.values(), ids=SMALL)
def test_both_backends_are_one_operator(geometry, grid):
    x = torch.rand(3, 1, grid.height, grid.width, generator=torch.Generator().manual_seed(0))
    one, other = (project(x, geometry, grid, backend) for backend in ("matrix", "compiled"))
    assert (one - other).norm() < 1e-5 * one.norm()


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("geometry", SMALL.values(), ids=SMALL)
def test_weights_are_josephs(geometry, grid):
    image = torch.rand(grid.height, grid.width, generator=torch.Generator().manual_seed(0)).double()
    seen = project(image[None, None], geometry, grid, "compiled")[0, 0]
    for view, bin_ in torch.randint(0, geometry.views, (40, 2)).tolist():
        theta, t = (float(each[view, bin_]) for each in geometry.rays())
        cos, sin = math.cos(theta), math.sin(theta)
        # Where the ray crosses each row, or each column, whichever it runs closer to.
        if abs(cos) >= abs(sin):
            lines = [(image[i], (t - float(y) * sin) / cos) for i, y in enumerate(grid.y())]
            places = [(line, x / grid.pixel + grid.center[1]) for line, x in lines]
        else:
            lines = [(image[:, j], (t - float(x) * cos) / sin) for j, x in enumerate(grid.x())]
            places = [(line, grid.center[0] - y / grid.pixel) for line, y in lines]
        total = sum(
            float(line[i]) * max(0.0, 1 - abs(place - i))
            for line, place in places
            for i in range(max(0, math.floor(place)), min(len(line), math.floor(place) + 2))
        )
        assert seen[view, bin_] == pytest.approx(total * grid.pixel / max(abs(cos), abs(sin)))


@pytest.mark.parametrize("operation", ["project", "backproject", "gather", "scatter"])
def test_slices_and_threads_do_not_meet(operation):
    grid, geometry = Grid(70, 70, 1.0), FanArc(64, 101, 0.012, 90.0)
    of_images = operation in ("project", "scatter")
    x = torch.rand(6, 1, *((70, 70) if of_images else (64, 101)))
    alone = torch.cat([apply(operation, one, geometry, grid, "compiled") for one in x.split(1)])
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together = apply(operation, x, geometry, grid, "compiled")
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(together, alone, rtol=1e-5)


def test_the_published_scanners_have_transposes():
    for scanner in (adn(), adn(128)):
        x = torch.randn(1, 1, scanner.grid.height, scanner.grid.width)
        y = torch.randn(1, 1, scanner.geometry.views, scanner.geometry.bins)
        # What autograd makes of a linear map is its transpose.
        p, b = torch.autograd.functional.vjp(scanner.project, x, y)
        assert abs((p * y).sum() - (x * b).sum()) < 1e-5 * p.norm() * y.norm()


SCANNERS = {
    "adn": (adn(), 0.005),
    "syndeeplesion": (syndeeplesion(), 0.003),
    "clinical": (clinical(256, 256, 0.15), 0.005),
    "reprojection": (reprojection(256, 256, 0.15), 0.005),
}


@pytest.mark.parametrize(("scanner", "bound"), SCANNERS.values(), ids=SCANNERS)
def test_ellipses_project_to_their_exact_integrals(scanner, bound):
    grid, geometry = scanner.grid, scanner.geometry
    exact = ellipses.project(geometry, grid.width * grid.pixel / 2, ellipses.PHANTOM)
    seen = project(ellipses.paint(grid, ellipses.PHANTOM).float(), geometry, grid, "compiled")
    assert (seen - exact).norm() < bound * exact.norm()


def test_matlabs_way_of_projecting_blurs_and_does_not_shift():
    scanner = adn()
    exact = ellipses.project(scanner.geometry, 128 * scanner.grid.pixel, ellipses.PHANTOM)
    seen = scanner.project(ellipses.paint(scanner.grid, ellipses.PHANTOM).float())
    assert (seen - exact).norm() < 0.005 * exact.norm()
    sharp = project(
        ellipses.paint(scanner.grid, ellipses.PHANTOM).float(), scanner.geometry, scanner.grid
    )
    assert seen.diff(dim=-1).norm() < sharp.diff(dim=-1).norm()
    # A shift by a tenth of a bin would show in the centre of mass of a view.
    bins = torch.arange(scanner.geometry.bins, dtype=torch.float64)
    centers = [(p * bins).sum(-1) / p.sum(-1) for p in (seen, exact)]
    assert (centers[0] - centers[1]).abs().max() < 0.05


def test_a_quartered_pixel_spreads_as_matlabs_radon_spreads_it():
    # At 0 degrees a pixel at t = 3 is two points at 2.75 and 3.25: 1/8, 3/4, 1/8 of its mass.
    grid = Grid(9, 9, 1.0)
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 2, 7] = 1
    sinogram = project(image, MatlabParallel(4, 11, 1.0), grid)
    assert torch.allclose(sinogram[0, 0, 0, 7:10], torch.tensor([0.125, 0.75, 0.125]))
    assert torch.allclose(sinogram.sum(-1), torch.ones(1, 1, 4))
    # At 90 degrees t is y: row 2 lies 2 above the axis.
    assert sinogram[0, 0, 2].argmax() == 5 + 2


def test_the_gradient_of_a_projection_is_the_backprojection():
    grid, geometry = GRIDS["not square"], SMALL["arc"]
    x = torch.zeros(1, 1, grid.height, grid.width, requires_grad=True)
    y = torch.randn(1, 1, geometry.views, geometry.bins)
    (gradient,) = torch.autograd.grad((project(x, geometry, grid) * y).sum(), x)
    assert torch.allclose(gradient, backproject(y, geometry, grid), atol=1e-6)


def test_a_grid_of_mixed_parity_projects_to_exact_integrals_too():
    grid = Grid(199, 200, 0.1)
    geometry = Parallel(40, 291, 0.1)
    half = grid.width * grid.pixel / 2
    exact = ellipses.project(geometry, half, ellipses.PHANTOM)
    phantom = ellipses.paint(grid, ellipses.PHANTOM).float()
    for backend in ("matrix", "compiled"):
        seen = project(phantom, geometry, grid, backend)
        assert (seen - exact).norm() < 0.005 * exact.norm()
    with pytest.raises(ValueError, match="both on pixels"):
        Grid(32, 32, 0.1, (15.0, 15.5))


def test_lengths_scale_with_the_pixel():
    grid, geometry = GRIDS["square"], SMALL["flat"]
    image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    twice = Grid(32, 32, 2 * grid.pixel)
    assert torch.allclose(
        project(image, geometry.scaled(2), twice), 2 * project(image, geometry, grid), atol=1e-5
    )


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match="the geometry wants"):
        project(torch.zeros(1, 1, 31, 32), SMALL["arc"], GRIDS["square"])


def test_the_centre_of_rotation_casts_a_straight_shadow():
    scanner = adn(64)
    image = torch.zeros(1, 1, 64, 64)
    image[0, 0, 31, 31] = 1
    sinogram = scanner.project(image)
    middle = (scanner.geometry.bins - 1) // 2
    assert math.isclose(float(sinogram.argmax(-1).float().std()), 0, abs_tol=1e-6)
    assert sinogram[0, 0, 0].argmax() == middle
