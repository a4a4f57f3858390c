"""Samples: who is in which half, what is drawn, that it is drawn again the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from unmetal.cohorts.cohort import Cohort, SliceTransform
from unmetal.cohorts.metal_shapes import Placement, Shapes
from unmetal.cohorts.samples import Config, Samples
from unmetal.cohorts.splits import roles
from unmetal.errors import InputError
from unmetal.units import hu_to_mu

SIZE = 256


@pytest.fixture(scope="module")
def cohort():
    """Six discs of water of six patients; a rod as a whole frame, a square as a piece."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    discs = [np.where(np.hypot(x, y * a) < 90, 40, -1000) for a in np.linspace(1, 1.6, 6)]
    shapes = np.zeros((2, 64, 64), np.uint8)
    shapes[0, 28:36, 30:34] = 255
    shapes[1, 8:56, 8:56] = 255
    return Cohort(
        hu=np.stack(discs).astype(np.int16),
        patient=np.array(list("abcdef")),
        role=np.array(["affected", "affected", "clean", "clean", "validation", "validation"]),
        shapes=shapes,
        whole=np.array([True, False]),
        pixel=np.full(6, 1.5, np.float32),
        frame=np.zeros(2, np.float32),
        made_of=np.full(2, ""),
    )


def test_halves_share_no_patient(cohort):
    samples = Samples(cohort, Config(), seed=3)
    drawn = [samples.choose(index) for index in range(60)]
    affected = {cohort.patient[c.affected.slice] for c in drawn}
    clean = {cohort.patient[c.clean.slice] for c in drawn}
    assert affected == {"a", "b"}
    assert clean == {"c", "d"}
    assert all(c.affected.flip == c.clean.flip for c in drawn)
    assert {c.affected.flip for c in drawn} == {True, False}


def test_supervised_methods_learn_from_the_pairs_of_both_halves(cohort):
    samples = Samples(cohort, Config(disjoint_patients=False), seed=3)
    drawn = [samples.choose(index) for index in range(60)]
    assert {cohort.patient[c.affected.slice] for c in drawn} == set("abcd")


def test_at_full_resolution_the_whole_scan_is_known(cohort):
    whole = Samples(cohort, Config(), seed=3)(0, 1)
    assert whole.sinogram is not None
    assert whole.trace.any()
    assert whole.metal.any()
    coarse = Samples(cohort, Config(downsample=2), seed=3)(0, 1)
    assert coarse.sinogram is None
    assert coarse.image.shape == coarse.clean.shape == coarse.other.shape == (1, 1, 128, 128)


def test_a_patient_in_two_roles_is_refused(cohort):
    with pytest.raises(InputError, match="both affected and clean"):
        replace(cohort, patient=np.array(list("abbdef")))
    with pytest.raises(InputError, match="role 'test'"):
        replace(cohort, role=np.array(["test"] * 6))


def test_patients_are_split_whole_and_evenly():
    slices = {"big": 200} | {f"p{i}": 9 for i in range(12)} | {"v": 3}
    role = roles(slices, validation=["v"])
    assert role["v"] == "validation"
    assert role.keys() == slices.keys()
    weight = {
        half: sum(slices[p] ** 0.5 for p in role if role[p] == half) for half in role.values()
    }
    assert abs(weight["affected"] - weight["clean"]) < 6


def test_the_same_sample_whenever_it_is_asked_for(cohort):
    config = Config(zoom=(0.8, 1.0), rotation=0.2, metals=("ti", "fe"))
    one, other = (Samples(cohort, config, seed=5)(6, 2) for _ in range(2))
    assert torch.equal(one.image, other.image)
    assert torch.equal(one.other, other.other)
    assert Samples(cohort, config, seed=5).choose(7) == Samples(cohort, config, seed=5).choose(7)
    assert Samples(cohort, config, seed=6).choose(7) != Samples(cohort, config, seed=5).choose(7)


def test_samples_have_artifacts_and_a_truth(cohort):
    scan = Samples(cohort, Config(), seed=1)(0, 3)
    assert scan.image.shape == scan.other.shape == scan.clean.shape == (3, 1, SIZE, SIZE)
    far = (scan.image - scan.clean).abs().flatten(1).mean(1)
    assert (far > 1e-3).all()
    assert (scan.image.flatten(1).amax(1) > 0.6).all(), "metal is brighter than any tissue"
    coarse = Samples(cohort, Config(downsample=2), seed=1)(0, 3)
    assert coarse.image.shape == (3, 1, SIZE // 2, SIZE // 2)
    torch.testing.assert_close(coarse.image, torch.nn.functional.avg_pool2d(scan.image, 2))


def test_a_slice_shown_as_it_is_and_moved(cohort):
    samples = Samples(cohort, Config(), seed=0)
    plain = samples.render(SliceTransform(0))
    assert torch.equal(plain[0], hu_to_mu(torch.from_numpy(cohort.hu[0]).float()))
    flipped = samples.render(SliceTransform(0, flip=True))
    assert torch.equal(flipped, plain.flip(-1))
    half = samples.render(SliceTransform(0, zoom=0.5))
    assert half.sum().item() == pytest.approx(plain.sum().item() / 4, rel=0.02)


def test_placed_metal_is_where_and_as_large_as_chosen(cohort):
    shapes = Shapes(cohort.shapes, cohort.whole, torch.device("cpu"))
    centre, scale = (0.3, -0.4), 0.25
    mask = shapes.place([Placement(1, centre, scale, 0.0, flip=False)], SIZE, SIZE)
    assert mask.shape == (1, SIZE, SIZE)
    rows, columns = torch.nonzero(mask[0], as_tuple=True)
    assert columns.float().mean().item() == pytest.approx((centre[0] + 1) / 2 * SIZE - 0.5, abs=0.6)
    assert rows.float().mean().item() == pytest.approx((centre[1] + 1) / 2 * SIZE - 0.5, abs=0.6)
    assert mask.sum().item() == pytest.approx((0.75 * SIZE * scale) ** 2, rel=0.15)


def test_placed_metal_turns_and_never_vanishes(cohort):
    shapes = Shapes(cohort.shapes, cohort.whole, torch.device("cpu"))
    upright = shapes.place([Placement(0, (0, 0), 1.0, 0.0, flip=False)], SIZE, SIZE)
    lying = shapes.place([Placement(0, (0, 0), 1.0, np.pi / 2, flip=True)], SIZE, SIZE)
    extent = [torch.nonzero(m[0]).amax(0) - torch.nonzero(m[0]).amin(0) for m in (upright, lying)]
    assert torch.equal(extent[0], extent[1].flip(0))
    speck = shapes.place([Placement(1, (0.1, 0.1), 0.003, 0.0, flip=False)], SIZE, SIZE)
    assert speck.any()


def test_metal_is_drawn_inside_the_body(cohort):
    shapes = Shapes(cohort.shapes, cohort.whole, torch.device("cpu"))
    body = cohort.hu[5] > -300
    inside = []
    for seed in range(40):
        mask = shapes.place(shapes.choose(np.random.default_rng(seed), body), SIZE, SIZE)[0].numpy()
        assert 4 <= mask.sum() <= 3000
        inside.append(body[mask].mean())
    assert np.mean(inside) > 0.8


def test_a_cohort_comes_back_and_a_stranger_is_refused(cohort, tmp_path):
    cohort.save(tmp_path / "cohort.npz")
    again = Cohort.load(tmp_path)
    assert np.array_equal(again.hu, cohort.hu)
    assert np.array_equal(again.role, cohort.role)
    np.savez(tmp_path / "other.npz", hu=cohort.hu)
    with pytest.raises(InputError, match="not a cohort"):
        Cohort.load(tmp_path / "other.npz")


@pytest.mark.parametrize("protocol", ["adn", "clinical"])
def test_clean_slices_scanned_too_change_nothing_else(cohort, protocol):
    # In mm, of the metal that was drawn.
    cohort = replace(cohort, frame=np.full(2, 100, np.float32), made_of=np.full(2, "ti"))
    plain = Samples(cohort, Config(protocol=protocol), seed=3)(0, 1)
    scanned = Samples(cohort, Config(protocol=protocol, scan_other=True), seed=3)(0, 1)
    assert plain.other_scanned is None
    assert torch.equal(plain.image, scanned.image)
    assert torch.equal(plain.other, scanned.other)
    # A scan of the same slice: noise and blur, and no metal in it.
    difference = (scanned.other_scanned - scanned.other).abs()
    assert 0 < difference.mean() < 0.01
    assert scanned.other_scanned.amax() < hu_to_mu(torch.tensor(1500.0))


def test_scanned_clean_slices_stay_with_a_batch_at_half_the_resolution(cohort):
    batch = Samples(cohort, Config(scan_other=True, downsample=2), seed=3)(0, 2)
    assert batch.other_scanned.shape == batch.other.shape == (2, 1, SIZE // 2, SIZE // 2)
