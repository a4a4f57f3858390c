"""LI on a scanned phantom."""

import torch
from hips import error, scanned

from unmetal.methods.li import LI
from unmetal.physics.completion.inpaint import interpolate


def test_it_is_the_reconstruction_of_the_interpolated_sinogram() -> None:
    scan = scanned().scan
    expected = scan.scanner.reconstruct(interpolate(scan.sinogram, scan.trace))
    torch.testing.assert_close(LI().reduce(scan), expected, rtol=0, atol=1e-12)


def test_it_takes_most_of_the_error_away() -> None:
    for metal in ("ti", "fe"):
        simulation = scanned(metal)
        assert error(simulation, LI().reduce(simulation.scan)) < 0.5 * error(
            simulation, simulation.scan.image
        )


def test_it_does_not_depend_on_the_metal() -> None:
    titanium, iron = LI().reduce(scanned("ti").scan), LI().reduce(scanned("fe").scan)
    torch.testing.assert_close(titanium, iron, rtol=0, atol=1e-3)
