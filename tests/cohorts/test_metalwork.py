"""Samples of machines in mm: true sizes, a truth that is a scan, clean slices as they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unmetal.cohorts.cohort import Cohort
from unmetal.cohorts.metal_shapes import MetalSampler, Shapes
from unmetal.cohorts.samples import Config, Samples
from unmetal.errors import InputError
from unmetal.physics.implants.kinds import Hardware
from unmetal.training.validation import PairedValidator

SIZE = 128
METALS = ("ti", "steel", "cocr", "au", "amalgam")


@pytest.fixture(scope="module")
def cohort():
    """Six ovals of water with a spine, of pixels of 2 to 3 mm; a hip and a mouth as frames."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    bodies = [np.where(np.hypot(x, y * a) < 55, 40, -1000) for a in np.linspace(1.2, 1.7, 6)]
    for body in bodies:
        body[np.hypot(x, y - 14) < 9] = 500
    shapes = np.zeros((3, 64, 64), np.uint8)
    shapes[0, 30:36, 28:34] = 255
    shapes[1, 20:24, 28:36] = 255
    shapes[2, 8:56, 8:56] = 255
    return Cohort(
        hu=np.stack(bodies).astype(np.int16),
        patient=np.array(list("abcdef")),
        role=np.array(["affected", "affected", "clean", "clean", "validation", "validation"]),
        shapes=shapes,
        whole=np.array([True, True, False]),
        pixel=np.linspace(2, 3, 6, dtype=np.float32),
        frame=np.array([400, 400, 0], np.float32),
        made_of=np.array(["ti steel cocr", "amalgam au", ""]),
    )


def test_frames_of_unknown_size_are_refused_by_machines_only(cohort, tmp_path):
    unknown = replace(cohort, frame=np.zeros(3, np.float32))
    unknown.save(tmp_path / "cohort.npz")
    again = Cohort.load(tmp_path)
    assert np.array_equal(again.pixel, cohort.pixel)
    Samples(again, Config(), seed=0)
    with pytest.raises(InputError, match="no size in mm"):
        Samples(again, Config(protocol="clinical"), seed=0)


@pytest.mark.parametrize("pixel", [2.0, 3.0])
def test_shapes_have_their_size_in_mm_whatever_the_pixel(cohort, pixel):
    shapes = Shapes(cohort.shapes, cohort.whole, torch.device("cpu"))
    sampler = MetalSampler(shapes, cohort, METALS)
    frames = 0
    for seed in range(60):
        metal, material = sampler.choose(
            np.random.default_rng([seed, 1]), cohort.hu[0].astype(np.float32), pixel
        )
        if isinstance(metal, Hardware):
            continue
        area = float(shapes.placed(metal, SIZE, SIZE).sum()) * pixel**2
        if metal[0].shape < 2:
            frames += 1
            assert metal[0].shape == (0 if pixel * 110 > 230 else 1), "mouths are for heads"
            stored = 36 if metal[0].shape == 0 else 32
            assert area == pytest.approx(stored * (400 / 64) ** 2, rel=0.3)
            assert material in cohort.made_of[metal[0].shape].split()
        else:
            assert area < (1300 if material not in {"au", "amalgam"} else 180)
    assert frames > 3


@pytest.mark.parametrize("protocol", ["clinical", "cbct"])
def test_samples_of_a_machine(cohort, protocol):
    config = Config(protocol=protocol, metals=METALS, zoom=(0.8, 1.0), rotation=0.1)
    samples = Samples(cohort, config, seed=4)
    one, same = samples(3, 1), Samples(cohort, config, seed=4)(3, 1)
    assert torch.equal(one.image, same.image)
    assert torch.equal(one.clean, same.clean)
    assert one.sinogram is not None
    choice = samples.choose(3)
    pixel = cohort.pixel[choice.affected.slice] / choice.affected.zoom
    assert 10 * choice.protocol.scanner.grid.pixel == pytest.approx(pixel)
    assert choice.protocol == samples.choose(3).protocol != samples.choose(4).protocol
    two = samples(3, 2)
    assert two.image.shape == two.clean.shape == two.other.shape == (2, 1, SIZE, SIZE)
    assert two.sinogram is None, "each has a scanner of its own"
    assert (two.image != two.clean).any()
    field = choice.protocol.scanner.fov_mask(one.image)
    shown = samples.render(choice.clean)[None]
    assert torch.equal(one.other[0, 0][field], shown[0, 0][field]), "clean CT as it is"
    assert not one.other[0, 0][~field].any()


def test_samples_of_a_machine_are_validated_and_coarsened(cohort):
    samples = Samples(cohort, Config(protocol="clinical", metals=METALS, downsample=2), seed=4)
    again = [PairedValidator(samples) for _ in range(2)]
    assert again[0].before == again[1].before
    assert again[0].scans[0].image.shape == (2, 1, SIZE // 2, SIZE // 2)
    assert 10 < again[0].before["psnr"] < 60
