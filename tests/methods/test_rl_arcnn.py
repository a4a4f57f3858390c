"""RL-ARCNN-style: the residual is what is learned and what is taken off."""

import pytest
import torch
from learning import losses, pair

from unmetal.methods.rl_arcnn import RLARCNN, Config
from unmetal.scan import Scan
from unmetal.training.loop import Config as Training
from unmetal.units import WINDOW, mu_to_network

SMALL = Config(width=4, depth=4, patches=0)


def test_what_is_learned_is_the_artifact() -> None:
    scan, method = pair(), RLARCNN(SMALL)
    artifact = mu_to_network(scan.image) - mu_to_network(scan.clean)
    method.generator.forward = lambda x: artifact + 0.03
    ((player, said),) = method.training_step(scan)
    assert player == "generator"
    assert said["mse"].item() == pytest.approx(0.03**2, rel=1e-4)
    off = method.reduce(scan) - scan.clean.clamp(*WINDOW)
    torch.testing.assert_close(off, torch.full_like(off, -0.03 / 4), rtol=0, atol=1e-6)


def test_an_untrained_network_takes_nothing_off() -> None:
    scan = pair()
    torch.testing.assert_close(RLARCNN(SMALL).reduce(scan), scan.image.clamp(*WINDOW))


@pytest.mark.parametrize("patches", [0, 3])
def test_patches_of_slice_and_truth_belong_together(patches: int) -> None:
    torch.manual_seed(0)
    method = RLARCNN(Config(width=2, depth=3, patches=patches, side=16))
    clean = torch.rand(2, 1, 30, 41) * 0.2
    scan = Scan(image=clean + 0.1, clean=clean)
    shapes = []
    method.generator.forward = lambda x: shapes.append(x.shape) or torch.full_like(x, 0.4)
    ((_, said),) = method.training_step(scan)
    assert shapes == [(6, 1, 16, 16) if patches else (2, 1, 30, 41)]
    assert said["mse"].item() == pytest.approx(0, abs=1e-10)


@torch.no_grad()
def test_reduce_takes_any_size_and_precision() -> None:
    method = RLARCNN(SMALL).eval()
    for shape, kind in (((1, 1, 30, 33), torch.float32), ((2, 1, 5, 9), torch.float64)):
        out = method.reduce(Scan(image=torch.rand(shape, dtype=kind) * 0.5))
        assert out.shape == shape
        assert out.dtype == kind


@pytest.mark.recipe
def test_two_steps_of_the_loop() -> None:
    plan = Training(samples=4, precision="bf16")
    said = losses(RLARCNN(Config(width=4, depth=4, patches=2, side=16)), plan, pair())
    assert [step.keys() for step in said] == 2 * [{"generator/mse"}]


@pytest.mark.recipe
def test_a_pair_is_learned_by_heart() -> None:
    torch.manual_seed(0)
    scan, method = pair(32), RLARCNN(Config(width=16, depth=5, patches=0))
    losses(method, Training(samples=400, lr=1e-2, lr_decay_fraction=0.5, weight_decay=0), scan)
    with torch.no_grad():
        off = mu_to_network(method.eval().reduce(scan)) - mu_to_network(scan.clean)
    assert off.abs().mean() < 0.02
