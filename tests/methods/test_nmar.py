"""NMAR on a scanned phantom, and the order of the classical methods (T26)."""

from dataclasses import replace

import pytest
import torch
from hips import error, scanned

from unmetal.methods import build
from unmetal.methods.nmar import NMAR


@pytest.mark.parametrize("metal", ["ti", "fe"])
def test_raw_is_worse_than_bhc_than_li_than_nmar(metal: str) -> None:
    simulation = scanned(metal)
    images = [simulation.scan.image] + [
        build(name).reduce(simulation.scan) for name in ("bhc", "li", "nmar")
    ]
    errors = [error(simulation, image) for image in images]
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < 0.7 * errors[2]


def test_the_brightness_of_the_metal_does_not_matter() -> None:
    scan = scanned().scan
    louder = scan.sinogram + 3 * scan.trace
    brighter = replace(scan, sinogram=louder, image=scan.scanner.reconstruct(louder))
    torch.testing.assert_close(NMAR().reduce(brighter), NMAR().reduce(scan), rtol=0, atol=1e-9)
