"""BHC on a scanned phantom."""

import torch
from hips import error, scanned

from unmetal.methods.bhc import BHC


def test_it_helps_where_hardening_is_what_hurts() -> None:
    for metal in ("ti", "fe"):
        simulation = scanned(metal)
        assert error(simulation, BHC().reduce(simulation.scan)) < 0.9 * error(
            simulation, simulation.scan.image
        )


def test_metal_stays_and_loses_its_cupping() -> None:
    scan = scanned("fe").scan
    corrected = BHC().reduce(scan)
    inside, before = corrected[scan.metal], scan.image[scan.metal]
    assert inside.mean() > before.mean()
    middle = torch.zeros_like(scan.metal)
    middle[..., 72:77, 40:45] = True  # of the left disc
    left = scan.metal.clone()
    left[..., 64:] = False

    def cupping(image: torch.Tensor) -> torch.Tensor:
        return 1 - image[middle].mean() / image[left].mean()

    assert cupping(corrected) < cupping(scan.image)
