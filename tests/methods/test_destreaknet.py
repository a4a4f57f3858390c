"""DestreakNet-style: NMAR, and what a network adds to it."""

from dataclasses import replace

import pytest
import torch
from hips import error, scanned
from learning import losses, pair

from unmetal.methods import build, destreaknet
from unmetal.methods.destreaknet import Config, DestreakNet
from unmetal.training.loop import Config as Training
from unmetal.units import mu_to_network

SMALL = Config(width=4, depth=2)


def test_it_begins_as_nmar() -> None:
    simulation = scanned("fe", 48)
    found = DestreakNet(SMALL).reduce(simulation.scan).detach()
    assert torch.equal(found, build("nmar").reduce(simulation.scan))
    assert error(simulation, found) < 0.5 * error(simulation, simulation.scan.image)


def test_what_is_learned_is_what_nmar_lacks() -> None:
    scan, method = pair(), DestreakNet(SMALL)
    lacks = mu_to_network(scan.clean) - mu_to_network(build("nmar").reduce(scan))
    method.generator.forward = lambda corrected, detail: lacks + 0.03
    ((player, said),) = method.training_step(scan)
    assert player == "generator"
    assert said["mse"].item() == pytest.approx(0.03**2, rel=1e-4)


def test_the_streams_see_nmar_and_the_slice_as_it_came() -> None:
    scan, method, seen = pair(), DestreakNet(SMALL), []
    method.generator.forward = lambda *images: seen.append(images) or torch.zeros_like(images[0])
    method.reduce(scan)
    next(method.training_step(scan))
    expected = [mu_to_network(build("nmar").reduce(scan)), mu_to_network(scan.image)]
    for images in seen:
        torch.testing.assert_close(list(images), expected)


def test_what_is_denser_than_the_window_is_kept() -> None:
    scan = pair()
    dense = replace(scan, image=scan.image + 0.6)
    method = DestreakNet(SMALL)
    method.generator.forward = lambda corrected, detail: torch.full_like(corrected, -0.2)
    nmar = build("nmar").reduce(dense)
    assert nmar.max() > 0.5
    torch.testing.assert_close(method.reduce(dense), nmar - 0.05)


def test_mixed_precision_leaves_the_physics_alone() -> None:
    scan, method, seen = pair(), DestreakNet(SMALL), []
    method.generator.forward = lambda *images: seen.append(images[0]) or images[0]
    next(method.training_step(scan))
    with torch.autocast("cpu", torch.bfloat16):
        next(method.training_step(scan))
    assert torch.equal(*seen)


@pytest.mark.recipe
def test_two_steps_of_the_loop() -> None:
    said = losses(DestreakNet(SMALL), Training(samples=4, precision="bf16"), pair())
    assert [step.keys() for step in said] == 2 * [{"generator/mse"}]


@pytest.mark.recipe
def test_a_pair_is_learned_by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    scan, method = pair(32), DestreakNet(Config(width=8, depth=2))
    before = build("nmar").reduce(scan)
    monkeypatch.setattr(destreaknet, "nmar_image", lambda scan: before)
    losses(method, Training(samples=300, lr=3e-3, lr_decay_fraction=0.5, weight_decay=0), scan)
    truth = mu_to_network(scan.clean)
    with torch.no_grad():
        off = (mu_to_network(method.reduce(scan)) - truth).abs().mean()
    assert off < 0.02
    assert off < 0.6 * (mu_to_network(before) - truth).abs().mean()
