"""The machines by what physicists measure: noise, sharpness, cupping, motion, truncation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import water

from unmetal.errors import InputError
from unmetal.physics.beam.scatter import Scatter
from unmetal.physics.detector import adaptive_smoothing
from unmetal.physics.machines import MACHINES, NAMES, protocol_for
from unmetal.physics.motion import Motion
from unmetal.physics.protocol import PROTOCOLS
from unmetal.physics.simulate import apply_aperture
from unmetal.units import MU_WATER, mu_to_hu

BOTH = pytest.mark.parametrize("machine", ["clinical", "cbct"])


@BOTH
def test_settings_stay_in_their_ranges_and_a_seed_repeats_them(machine):
    ranges = MACHINES[machine]
    drawn = [
        protocol_for(machine, np.random.default_rng(seed), (128, 128), 3.0) for seed in range(100)
    ]
    again = protocol_for(machine, np.random.default_rng(7), (128, 128), 3.0)
    assert again == drawn[7] != drawn[8]
    assert {p.beam.kvp for p in drawn} == set(ranges.kvp)
    assert {p.scanner.kernel for p in drawn} == set(ranges.kernels)
    geometry = drawn[0].scanner.geometry
    each = 10 * geometry.pitch_at_axis / ranges.bin_mm * ranges.views_per_turn / geometry.views
    for value, (low, high) in (
        ([p.photons / each for p in drawn], ranges.photons),
        ([p.electronic / each**0.5 for p in drawn], ranges.electronic),
        ([p.scatter_model.amount for p in drawn], ranges.scatter),
        ([p.scatter_model.corrected for p in drawn], ranges.corrected),
        ([10 * p.motion.amplitude for p in drawn if p.motion], ranges.motion),
    ):
        assert low <= min(value) < max(value) <= high
        assert max(value) - min(value) > 0.8 * (high - low)
    assert 30 < sum(p.motion is not None for p in drawn) < 70


def test_every_name_has_a_protocol_and_others_have_none():
    rng = np.random.default_rng(0)
    assert NAMES == ("adn", "syndeeplesion", "clinical", "cbct")
    assert protocol_for("adn", rng, (9, 9), 1.0) is PROTOCOLS["adn"]
    with pytest.raises(InputError, match="no protocol 'pet'; there are adn"):
        protocol_for("pet", rng, (9, 9), 1.0)


def test_in_pixels_all_fields_have_the_same_rays():
    # So one matrix serves a whole training.
    near, far = (
        protocol_for("clinical", np.random.default_rng(0), (64, 64), pixel) for pixel in (1.0, 2.0)
    )
    scaled = [p.scanner.geometry.scaled(1 / p.scanner.grid.pixel) for p in (near, far)]
    assert scaled[0] == scaled[1]
    assert far.photons == pytest.approx(2 * near.photons)


@BOTH
def test_noise_falls_with_the_root_of_the_dose(machine):
    near = water.radius() < 50
    low, high = (
        water.noise(water.setting(machine, photons))[near].std() for photons in (1e5, 1.6e6)
    )
    assert float(low / high) == pytest.approx(4, rel=0.15)


def test_noise_has_the_spectrum_of_the_ramp_and_of_the_kernel():
    smooth, sharp = (
        water.power(water.noise(water.with_kernel(water.setting("clinical"), kernel)))
        for kernel in ("hann", "ram-lak")
    )
    # The ramp: little noise in what is large.
    assert sharp[0] < sharp[3] < sharp[8]
    # The window: half gone at half of Nyquist in amplitude, nearly all of it at Nyquist.
    ratio = smooth / sharp
    assert ratio[1] > 0.8
    assert 0.1 < ratio[8] < 0.4
    assert ratio[15] < 0.05


def test_the_sharp_kernel_resolves_more_than_the_smooth_one_and_the_panel_less():
    clean = water.cylinder(200)
    frequency, own = water.mtf(clean[0, 0], 200)

    def half(machine: str, kernel: str) -> float:
        protocol = water.with_kernel(water.setting(machine), kernel)
        seen = water.mtf(water.scan(clean, protocol).scan.clean[0, 0], 200)[1]
        return water.half(frequency, seen / np.maximum(own, 1e-3)) * water.PIXEL

    # Cycles per pixel; with pixels of 0.78 mm that is 2.3, 3.0 and 1.6 lp/cm.
    assert half("clinical", "hann") == pytest.approx(0.178, abs=0.01)
    assert half("clinical", "ram-lak") == pytest.approx(0.234, abs=0.01)
    assert half("cbct", "hann") == pytest.approx(0.124, abs=0.01)


def cupping(protocol) -> float:
    """HU of the middle minus those near the rim of 32 cm of water."""
    hu = mu_to_hu(water.scan(water.cylinder(320), protocol).scan.clean[0, 0])
    r = water.radius()
    return float(hu[r < 20].mean() - hu[(r > 130) & (r < 150)].mean())


@BOTH
def test_scatter_cups_and_its_correction_takes_the_most_of_it_out(machine):
    ranges = MACHINES[machine]
    haze = Scatter(ranges.scatter[1], ranges.width)
    without, full, most, all_ = (
        cupping(water.setting(machine, scatter_model=one))
        for one in (
            None,
            haze,
            replace(haze, corrected=ranges.corrected[0]),
            replace(haze, corrected=1.0),
        )
    )
    assert abs(without) < 8
    assert full < without - (15 if machine == "clinical" else 150)
    assert full < most < without - 3
    assert all_ == pytest.approx(without, abs=1)


def test_scatter_is_smooth_depends_on_the_object_and_reaches_behind_metal():
    haze = Scatter(0.1, 0.15)
    lines = torch.full((1, 1, 3, 101), 3.0)
    lines[..., 1, 45:56] = torch.inf  # nothing comes through
    lines[..., 2, :] = 0.0  # nothing to scatter
    scattered = haze(lines)
    assert torch.isfinite(scattered).all()
    assert scattered[0, 0, 1, 50] > 0.5 * scattered[0, 0, 0, 50]
    assert torch.equal(scattered[0, 0, 2], torch.zeros(101))
    assert scattered[0, 0, 0].diff().abs().max() < 0.05 * scattered.max()
    # All of the scatter of the middle comes back: amount p exp(-p).
    assert scattered[0, 0, 0, 50] == pytest.approx(0.1 * 3 * np.exp(-3), rel=0.01)


def test_electronic_noise_shows_only_where_photons_are_few():
    def more(photons: float) -> float:
        near = water.radius() < 40
        quiet = water.setting("clinical", photons, adaptive_smoothing=0.0)
        loud = replace(quiet, electronic=10 * (quiet.photons / photons) ** 0.5)
        return float(water.noise(loud, 320)[near].std() / water.noise(quiet, 320)[near].std())

    assert more(1e6) == pytest.approx(1, abs=0.1)
    assert more(2e4) > 1.5


def test_starved_rays_are_smoothed_and_others_are_not():
    generator = torch.Generator().manual_seed(0)
    many = torch.poisson(torch.full((1, 1, 40, 60), 1e4), generator)
    few = torch.poisson(torch.full((1, 1, 40, 60), 4.0), generator)
    assert torch.equal(adaptive_smoothing(many, 0.1, 5.0), many)
    calm = adaptive_smoothing(few, 0.1, 5.0)
    assert calm.std() < 0.4 * few.std()
    assert calm.mean() == pytest.approx(few.mean().item(), rel=0.02)


def test_an_aperture_averages_photons_and_not_line_integrals():
    lines = torch.zeros(1, 1, 2, 9)
    lines[..., 4] = 10.0
    assert torch.allclose(apply_aperture(lines, 0.0), lines, atol=1e-4)
    seen = apply_aperture(lines, 1 / 6)
    # A third of the photons comes through the two neighbours, whatever the metal is.
    assert seen[0, 0, 0, 4] == pytest.approx(-np.log(1 / 3 + 2 / 3 * np.exp(-10)), rel=1e-4)
    assert seen[0, 0, 0, 3] == pytest.approx(-np.log(5 / 6 + np.exp(-10) / 6), rel=1e-4)
    assert torch.exp(-seen).sum() == pytest.approx(float(torch.exp(-lines).sum()), rel=1e-5)


@BOTH
def test_a_shift_that_lasts_moves_the_image_and_no_motion_changes_nothing(machine):
    still = water.setting(machine)
    aside = replace(still, motion=Motion(2.0, np.pi / 6, cycles=0.0, phase=np.pi / 2))
    clean = water.cylinder(120)
    moved = water.scan(clean, aside).scan.clean
    # 2 cm along 30 degrees, y up, and the row down.
    there = water.cylinder(120, row=-20 * np.sin(np.pi / 6), column=20 * np.cos(np.pi / 6))
    there = water.scan(there, still).scan.clean
    far = (water.radius() - 60).abs() > 30
    assert (moved - there)[0, 0][far].abs().max() < 0.03 * MU_WATER
    place = torch.arange(water.SIZE) * water.PIXEL
    for axis in (2, 3):
        centers = [
            (image.sum(5 - axis).flatten() @ place) / image.sum() for image in (moved, there)
        ]
        assert float(centers[0] - centers[1]) == pytest.approx(0, abs=0.5)
    none = replace(still, motion=replace(aside.motion, amplitude=0.0))
    same = [water.scan(clean, protocol).scan.sinogram for protocol in (still, none)]
    assert torch.allclose(*same, atol=1e-4)


def test_motion_within_the_turn_leaves_streaks():
    swaying = water.setting("clinical", motion=Motion(1.0, 0.3, cycles=0.75, phase=0.0))
    clean = water.cylinder(200)
    outside = water.radius() > 115
    still, swayed = (
        water.scan(clean, protocol).scan.clean[0, 0][outside].std()
        for protocol in (water.setting("clinical"), swaying)
    )
    assert swayed > 3 * still


def test_a_detector_too_small_sees_its_field_and_fills_in_the_rest():
    whole = water.setting("cbct")
    small = replace(whole, scanner=replace(whole.scanner, truncated_bins=32))
    clean = water.cylinder(390)
    seen, all_ = (water.scan(clean, protocol).scan for protocol in (small, whole))
    assert seen.sinogram.shape[-1] == all_.sinogram.shape[-1] - 64
    field = small.scanner.fov_mask(clean)
    assert not seen.clean[0, 0][~field].any(), "air outside"
    reach = float(water.radius()[field].max())
    assert 0.65 < 2 * reach / 390 < 0.8
    inner = water.radius() < 0.9 * reach
    error = (seen.clean - all_.clean)[0, 0][inner].abs().mean() / MU_WATER
    assert error < 0.02
    # Nothing in the place of what is missing is far worse: a bright rim and a wrong level.
    nothing = torch.nn.functional.pad(seen.sinogram, (32, 32))
    naive = (whole.scanner.reconstruct(nothing) - all_.clean)[0, 0][inner].abs().mean() / MU_WATER
    assert naive > 10 * error


@BOTH
def test_without_metal_and_noise_the_scan_is_its_truth(machine):
    quiet = water.setting(machine, photons=1e9, scatter_model=Scatter(0.02, 0.1, 0.8))
    clean = water.cylinder(200)
    done = water.scan(clean, quiet)
    assert not done.scan.trace.any()
    assert torch.allclose(done.scan.image, done.scan.clean, atol=1e-3)
    # And the truth is the slice, as far as the kernel goes and a little scatter.
    inner = water.radius() < 80
    assert (done.scan.clean - clean)[0, 0][inner].abs().max() < 0.05 * MU_WATER


@BOTH
def test_metal_takes_the_place_of_tissue_and_is_not_in_the_truth(machine):
    rod = ((10 - water.radius(30, 40)) / water.PIXEL + 0.5).clamp(0, 1)[None, None]
    done = water.scan(water.cylinder(200), water.setting(machine), metal=rod)
    free = water.scan(water.cylinder(200), water.setting(machine))
    assert torch.equal(done.scan.clean, free.scan.clean)
    assert done.scan.metal.sum() == pytest.approx(float(rod.sum()), rel=0.15)
    assert done.scan.image[done.scan.metal].mean() > 5 * MU_WATER
    assert done.scan.trace.any()
    beyond = done.scan.sinogram[~done.scan.trace] - free.free_sinogram[~done.scan.trace]
    assert beyond.abs().mean() < 0.02


def test_a_harder_beam_streaks_less():
    rod = (water.radius(0, 40) < 10).float() + (water.radius(0, -40) < 10).float()

    near = [water.radius(0, side) > 25 for side in (-40, 40)]
    tissue = (water.radius() < 80) & near[0] & near[1]

    def streaks(kvp: int) -> float:
        protocol = water.setting("clinical", photons=1e9)
        protocol = replace(protocol, beam=replace(protocol.beam, kvp=kvp))
        done = water.scan(water.cylinder(200), protocol, metal=rod[None, None])
        return float((done.scan.image - done.scan.clean)[0, 0][tissue].std())

    found = [streaks(kvp) for kvp in (80, 100, 120, 140)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[3]
