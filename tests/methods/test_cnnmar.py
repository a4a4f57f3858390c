"""CNNMAR: what its network sees and is asked for, and what is made of its image."""

from dataclasses import replace

import pytest
import torch
from hips import error, scanned
from learning import losses, one, pair
from torch import nn

from unmetal.methods import build, cnnmar
from unmetal.methods.cnnmar import CNNMAR, Config, corrections
from unmetal.physics.derive import dilate
from unmetal.training.loop import Config as Training
from unmetal.units import MU_WATER

SMALL = Config(width=8)
PAPER = Config(width=8, scale=1.0, patches=6, side=16)


class Says(nn.Module):
    """A network that answers the same whatever it sees, and remembers what it saw."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image = image

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen = images
        return self.image.float()


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_constant_error_is_squared_in_the_networks_unit(scale: float) -> None:
    scan, method = pair(), CNNMAR(replace(SMALL, scale=scale))
    truth = torch.where(scan.metal, MU_WATER, scan.clean)
    method.generator = Says(truth / scale + 0.03)
    ((player, said),) = method.training_step(scan)
    assert player == "generator"
    assert said["mse"].item() == pytest.approx(0.03**2, rel=1e-4)


def test_it_sees_three_corrections_in_order_with_water_for_metal() -> None:
    scan = pair()
    images = corrections(scan, scan.metal)
    expected = [scan.image, build("bhc").reduce(scan), build("li").reduce(scan)]
    for found, image in zip(images.split(1, dim=1), expected, strict=True):
        torch.testing.assert_close(found[~scan.metal], image[~scan.metal].clamp_min(0))
        assert (found[scan.metal] == MU_WATER).all()


def test_in_use_the_mask_is_wider() -> None:
    scan, method = pair(), CNNMAR(SMALL)
    method.generator = Says(scan.clean)
    method.reduce(scan)
    wider = dilate(scan.metal, 1).expand(-1, 3, -1, -1)
    seen = method.generator.seen * SMALL.scale
    torch.testing.assert_close(seen[wider], torch.full_like(seen[wider], MU_WATER))
    next(method.training_step(scan))
    assert not torch.equal(method.generator.seen * SMALL.scale, seen)


def test_mixed_precision_leaves_the_corrections_alone() -> None:
    scan = pair()
    expected = corrections(scan, scan.metal)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(corrections(scan, scan.metal), expected)


@pytest.mark.parametrize("metal", ["ti", "fe"])
def test_with_the_truth_for_a_network_it_is_better_than_nmar(metal: str) -> None:
    simulation, method = scanned(metal, 64), CNNMAR(SMALL)
    method.generator = Says(simulation.free_image / method.config.scale)
    found = method.reduce(simulation.scan)
    assert error(simulation, found) < 0.6 * error(simulation, build("nmar").reduce(simulation.scan))


def test_the_rays_overrule_the_network_where_there_is_no_metal() -> None:
    scan = pair()
    nothing = replace(scan, metal=scan.metal & False, trace=scan.trace & False)
    assert torch.equal(CNNMAR(SMALL).reduce(nothing), scan.image)


def test_the_networks_own_image_can_be_had() -> None:
    scan, method = pair(), CNNMAR(replace(SMALL, report="network"))
    method.generator = Says(scan.clean / SMALL.scale)
    torch.testing.assert_close(method.reduce(scan), scan.clean)


def test_slices_of_a_batch_do_not_see_each_other() -> None:
    scan, method = pair(), CNNMAR(SMALL)
    apart = torch.cat([method.reduce(one(scan, index)) for index in (0, 1)])
    torch.testing.assert_close(method.reduce(scan), apart, rtol=0, atol=1e-4)


def test_patches_are_of_all_four_images_at_one_place() -> None:
    torch.manual_seed(0)
    truth = torch.arange(40.0 * 40).reshape(1, 1, 40, 40)
    inputs = torch.cat([truth, truth + 1, truth + 2], dim=1)
    turned = set()
    for _ in range(8):
        some, wanted = CNNMAR(PAPER).patches(inputs, truth)
        assert some.shape == (6, 3, 16, 16)
        assert torch.equal(some, torch.cat([wanted, wanted + 1, wanted + 2], dim=1))
        turned.add(wanted[0, 0, 0, 1].item() - wanted[0, 0, 0, 0].item())
    assert turned == {1, 40}, "half of them by 90 degrees"


@pytest.mark.recipe
@pytest.mark.parametrize("config", [SMALL, PAPER])
def test_two_steps_of_the_loop(config: Config) -> None:
    plan = Training(
        samples=4, optimizer="sgd", lr=0.02, betas=(0.9, 0.9), weight_decay=0, precision="bf16"
    )
    said = losses(CNNMAR(config), plan, pair())
    assert [step.keys() for step in said] == 2 * [{"generator/mse"}]


@pytest.mark.recipe
def test_a_slice_is_learned_by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    scan, method = one(pair(32), 0), CNNMAR(Config(width=16))
    images = corrections(scan, scan.metal)
    monkeypatch.setattr(cnnmar, "corrections", lambda scan, metal: images)
    losses(method, Training(samples=400, lr=1e-2, lr_decay_fraction=0.5, weight_decay=0), scan)
    truth = torch.where(scan.metal, MU_WATER, scan.clean)
    with torch.no_grad():
        off = (method.estimate(scan) - truth).abs() / SMALL.scale
    assert off.mean() < 0.02
