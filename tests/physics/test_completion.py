"""Images of completed sinograms, from any prior image."""

from dataclasses import replace

import pytest
import torch

from unmetal.physics.completion.images import (
    Completion,
    corrected,
    from_prior,
    li_image,
    nmar_image,
)
from unmetal.physics.completion.inpaint import additive, interpolate, normalized
from unmetal.physics.scanner import clinical
from unmetal.scan import Scan
from unmetal.units import MU_WATER

SIZE = 32


def truth() -> torch.Tensor:
    """`[1 1 H W]`, 1/cm, float64: a body with a bone in it."""
    x = torch.linspace(-1, 1, SIZE, dtype=torch.float64)
    y = x[:, None]
    body = MU_WATER * ((x**2 + y**2) < 0.7)
    return (body + 0.2 * (((x - 0.2) ** 2 + (y + 0.3) ** 2) < 0.04))[None, None]


def scanned(metal: bool = True) -> Scan:
    """The body with two pieces of metal that add the same to every ray."""
    scanner = clinical(SIZE, SIZE, 0.8)
    mask = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    if metal:
        mask[..., 18:22, 8:11] = mask[..., 12:15, 20:23] = True
    trace = scanner.trace(mask)
    sinogram = scanner.project(truth()) + 5 * trace
    return Scan(scanner.reconstruct(sinogram), scanner, mask, sinogram, trace)


@pytest.mark.parametrize("complete", [additive, normalized])
def test_a_perfect_prior_gives_the_scan_without_metal(complete: Completion) -> None:
    scan = scanned()
    assert scan.scanner is not None
    free = scan.scanner.reconstruct(scan.scanner.project(truth()))
    found = from_prior(scan, truth(), complete)
    torch.testing.assert_close(found, free, rtol=0, atol=1e-5)
    assert (scan.image - free).abs().max() > 0.1


def test_only_a_quotient_forgives_a_prior_of_another_scale() -> None:
    scan = scanned()
    expected = from_prior(scan, truth(), normalized)
    torch.testing.assert_close(from_prior(scan, 3 * truth()), expected, rtol=0, atol=1e-5)
    assert (from_prior(scan, 3 * truth(), additive) - expected).abs().max() > 0.05


@pytest.mark.parametrize("complete", [additive, normalized])
def test_without_metal_no_prior_changes_anything(complete: Completion) -> None:
    scan = scanned(metal=False)
    assert torch.equal(from_prior(scan, truth().flip(-1), complete), scan.image)


def test_a_flat_prior_sinogram_is_li() -> None:
    scan = scanned()
    nothing = torch.zeros_like(scan.image)
    torch.testing.assert_close(from_prior(scan, nothing, additive), li_image(scan))


def test_the_change_is_reconstructed_and_not_the_image() -> None:
    scan = scanned()
    assert scan.sinogram is not None
    assert scan.trace is not None
    detail = torch.rand_like(scan.image)
    sharper = replace(scan, image=scan.image + detail)
    bridged = interpolate(scan.sinogram, scan.trace)
    torch.testing.assert_close(corrected(sharper, bridged), li_image(scan) + detail)
    assert torch.equal(corrected(scan, scan.sinogram), scan.image)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(ValueError, match="no scanner, sinogram or trace"):
        nmar_image(replace(scanned(), sinogram=None))
