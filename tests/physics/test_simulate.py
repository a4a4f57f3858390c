"""The simulation: exact in its parts, and the published sample as a whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from unmetal.errors import InputError
from unmetal.metrics.image_quality import adn_protocol
from unmetal.physics.beam.polychromatic import correct_water, water_coefficients_of
from unmetal.physics.beam.spectrum import Beam
from unmetal.physics.implants.primitives import Implant, choose_implants, draw_implants
from unmetal.physics.projection.geometry import Grid, Parallel
from unmetal.physics.protocol import PROTOCOLS, Protocol
from unmetal.physics.scanner import CT
from unmetal.physics.simulate import simulate, split_tissue
from unmetal.units import hu_to_mu, mu_to_hu

SMALL = Protocol(CT(Parallel(96, 95, 0.3), Grid(64, 64, 0.3)))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disc(radius: float, value: float, row: float = 31.5, column: float = 31.5) -> torch.Tensor:
    rows, columns = torch.arange(64)[:, None], torch.arange(64)[None]
    inside = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return inside[None, None] * value


def soft_tissue_error(metal: str | None, setting: Protocol = SMALL) -> float:
    """Standard deviation in HU of a water disc of 15 cm with two metal rods in it."""
    clean = disc(25, 0.192)
    rods = disc(2.5, 1, column=20.5) + disc(2.5, 1, column=42.5)
    mask = rods > 0 if metal else torch.zeros_like(rods, dtype=torch.bool)
    scan = simulate(clean, mask, (metal or "ti",), setting, generator()).scan
    near = F.max_pool2d(rods, 7, 1, 3) > 0
    inner = (disc(20, 1.0) > 0) & ~near
    return mu_to_hu(scan.image)[inner].std().item()


def test_streaks_grow_with_the_density_of_the_metal():
    errors = [soft_tissue_error(metal) for metal in (None, "ti", "fe", "au")]
    assert errors == sorted(errors)
    assert errors[1] > 5 * errors[0]


def test_between_two_metals_it_is_dark():
    rods = (disc(3, 1, column=20.5) + disc(3, 1, column=42.5)) > 0
    scan = simulate(disc(25, 0.192), rods, ("fe",), SMALL, generator()).scan
    between = mu_to_hu(scan.image)[0, 0, 31:33, 28:36].mean()
    beside = mu_to_hu(scan.image)[0, 0, 12:16, 28:36].mean()
    assert between < beside - 100


def test_water_is_flat_and_unbiased_with_its_correction():
    scan = simulate(disc(25, 0.192), disc(2, 0) > 0, ("ti",), SMALL, generator()).scan
    hu = mu_to_hu(scan.image)
    middle, rim = hu[disc(5, 1) > 0].mean(), hu[(disc(21, 1) > 0) & (disc(17, 1) == 0)].mean()
    assert abs(middle) < 5
    assert abs(middle - rim) < 10  # cupping: 60 HU without the correction


def test_without_metal_the_scan_is_the_metal_free_one():
    nothing = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    done = simulate(disc(25, 0.192), nothing, ("ti",), SMALL, generator())
    assert not done.scan.trace.any()
    assert torch.equal(done.scan.sinogram, done.free_sinogram)


def test_rays_that_miss_the_metal_are_the_metal_free_ones():
    done = simulate(disc(25, 0.192), disc(3, 1, 20, 40) > 0, ("au",), SMALL, generator())
    off = ~done.scan.trace
    assert torch.equal(done.scan.sinogram[off], done.free_sinogram[off])
    assert (done.scan.sinogram > done.free_sinogram)[done.scan.trace].float().mean() > 0.95


def test_the_same_seed_gives_the_same_scan():
    mask = disc(3, 1) > 0
    one, same, other = (
        simulate(disc(25, 0.192), mask, ("ti",), SMALL, generator(seed)).scan.image
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_batch_is_its_slices_one_by_one_but_for_noise():
    quiet = replace(SMALL, photons=1e12)
    clean = torch.cat([disc(25, 0.192), disc(20, 0.2)])
    masks = torch.cat([disc(3, 1), disc(2, 1, 20, 40)]) > 0
    both = simulate(clean, masks, ("ti",), quiet, generator()).scan.image
    for i in range(2):
        one = simulate(clean[i : i + 1], masks[i : i + 1], ("ti",), quiet, generator()).scan.image
        assert torch.allclose(both[i : i + 1], one, atol=2e-3)


def test_two_materials_at_once_are_each_their_own():
    quiet = replace(SMALL, photons=1e12)
    both = torch.cat([disc(3, 1, column=20.5), disc(3, 1, column=42.5)], 1) > 0
    scan = simulate(disc(25, 0.192), both, ("ti", "au"), quiet, generator()).scan
    assert scan.image[0, 0, 31, 42] > 3 * scan.image[0, 0, 31, 20]


def test_replaced_tissue_leaves_a_titanium_rod_its_own_attenuation():
    # Metal on top of the tissue is its attenuation and water's; in its place it is its own.
    mask = disc(4, 1) > 0
    kept = replace(SMALL, photons=1e12, edge=1)
    added, instead = (
        simulate(disc(25, 0.192), mask, ("ti",), replace(kept, tissue=tissue), generator())
        for tissue in ("kept", "replaced")
    )
    middle = (..., slice(30, 34), slice(30, 34))
    difference = (added.scan.image[middle] - instead.scan.image[middle]).mean()
    assert 0.1 < difference < 0.25
    assert torch.allclose(added.free_sinogram, instead.free_sinogram, atol=1e-4)


def test_scatter_caps_what_a_ray_can_measure():
    # 20 photons of scatter in 2e7: no line integral above 13.8, before the water correction.
    scan = simulate(disc(25, 0.192), disc(12, 1) > 0, ("au",), SMALL, generator()).scan
    cap = correct_water(torch.tensor(-np.log(5 / 2e7)), water_coefficients_of(Beam()))
    assert scan.sinogram.max() < cap


def test_tissue_is_split_into_parts_that_add_up():
    mu = hu_to_mu(torch.tensor([-1000.0, 0, 100, 800, 1500, 2500]))
    water, bone = split_tissue(mu)
    assert torch.allclose(water + bone, mu)
    assert torch.equal(bone > 0, torch.tensor([False, False, False, True, True, True]))
    assert torch.equal(water[-2:], torch.zeros(2))


def test_an_unknown_metal_is_named():
    with pytest.raises(InputError, match="plastic"):
        simulate(disc(25, 0.192), disc(3, 1) > 0, ("plastic",), SMALL, generator())


def test_implants_are_drawn_where_they_were_chosen_and_at_their_size():
    body = disc(25, 1)[0, 0] > 0
    for seed in range(20):
        for implant in choose_implants(body, 1.0, generator(seed)):
            assert body[int(implant.row), int(implant.column)]
            assert 2 <= implant.length <= 40
            assert 1.5 <= implant.width <= implant.length
    assert choose_implants(torch.zeros(8, 8, dtype=torch.bool), 1.0, generator()) == []
    round_one = Implant(100, 100, 40, 40, 0.3, oval=True)
    area = draw_implants([round_one], 200, 200, 0.5).sum().item() * 0.25
    assert area == pytest.approx(np.pi * 20**2, rel=0.01)
    plate = Implant(100, 100, 40, 5, 1.1, oval=False)
    assert draw_implants([plate], 200, 200, 0.5).sum().item() * 0.25 == pytest.approx(200, rel=0.05)


def test_the_shipped_sample_is_reproduced(reference):
    """The released ADN's own simulation of this slice and mask scores 29.54 dB / 0.702."""
    folder = reference / "adn_reference"
    # Slices are stored transposed.
    clean, theirs = (
        torch.from_numpy(np.load(folder / f"deep_lesion__{name}.npy").T.copy())
        for name in ("clean_of__000365_03_01_473", "with_art__000365_03_01_473_10")
    )
    masks = np.load(reference / "masks" / "cnnmar_test_10x512.npz")["masks"]
    mask = torch.from_numpy(masks[9]).float()[None, None]
    metal = F.interpolate(mask, (256, 256), mode="bilinear", antialias=True) > 0.5
    truth = hu_to_mu(clean)[None, None]
    scan = simulate(truth, metal, ("ti",), PROTOCOLS["adn"], generator()).scan
    ours = mu_to_hu(scan.image[0, 0])
    assert np.corrcoef(ours.flatten(), theirs.flatten())[0, 1] > 0.99
    score = adn_protocol(scan.image, truth, scan.image)
    assert score["psnr"].item() == pytest.approx(29.54, abs=0.2)
    assert score["ssim"].item() == pytest.approx(0.702, abs=0.02)
