"""CycleGAN: losses, turns, the earlier fakes, and that it learns."""

from dataclasses import replace

import pytest
import torch
from loop import (
    assert_each_turn_is_its_players_own,
    assert_interruption_changes_nothing,
    learned_by_heart,
    samples,
)
from torch import nn

from unmetal.methods.cyclegan import Config, CycleGAN
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu

SMALL = Config(width=4, discriminator_width=4, residuals=1)


def fresh():
    return CycleGAN(replace(SMALL, pool=3))


class Says(nn.Module):
    """A discriminator that gives every image the same score, and remembers what it was shown."""

    def __init__(self, score):
        super().__init__()
        self.score, self.shown = score, []

    def forward(self, x):
        self.shown.append(x)
        return torch.full((len(x), 1, 3, 3), self.score)


class Answers(nn.Module):
    """A generator whose images all have one value."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return torch.full_like(x, self.value)


@pytest.mark.parametrize(("score", "g", "d"), [(0.0, 1, 0.5), (1.0, 0, 0.5), (0.5, 0.25, 0.25)])
def test_losses_of_constant_networks(score, g, d):
    method = CycleGAN(SMALL)
    method.generator = nn.ModuleDict({"clean": Answers(0.5), "affected": Answers(-0.5)})
    method.discriminator.clean = method.discriminator.affected = Says(score)
    flat = torch.randn(1, 1, 32, 32) * 0.02  # it would be given noise if it were
    x, y = flat - 0.2, flat + 0.1
    (generator, losses), (discriminator, d_losses) = method.training_step(
        Scan(image=network_to_mu(x), other=network_to_mu(y))
    )
    assert (generator, discriminator) == ("generator", "discriminator")
    from_x, from_y = (x + 0.5).abs().mean().item(), (y - 0.5).abs().mean().item()
    expected = {
        "adv_clean": g,
        "adv_affected": g,
        "cycle_clean": 10 * from_y,
        "cycle_affected": 10 * from_x,
        "identity_clean": 5 * from_y,
        "identity_affected": 5 * from_x,
    }
    found = {name: loss.item() for name, loss in losses.items()}
    assert found == pytest.approx(expected, rel=1e-5)
    assert {name: loss.item() for name, loss in d_losses.items()} == {"clean": d, "affected": d}


def test_perfect_translations_cost_nothing_but_the_critics_opinion():
    method = CycleGAN(SMALL)
    method.generator = nn.ModuleDict({"clean": nn.Identity(), "affected": nn.Identity()})
    _, losses = next(method.training_step(samples(0, 2)))
    assert {name for name, loss in losses.items() if loss} == {"adv_clean", "adv_affected"}


def test_each_critic_sees_its_own_fakes_and_reals():
    method, scan = CycleGAN(SMALL), samples(0, 2)
    clean, affected = method.discriminator.clean, method.discriminator.affected = (
        Says(0.0),
        Says(0.0),
    )
    list(method.training_step(scan))
    x, y = mu_to_network(scan.image), mu_to_network(scan.other)
    torch.testing.assert_close(clean.shown[1], torch.cat([method.corrected(x), y]))
    torch.testing.assert_close(affected.shown[1], torch.cat([method.to_affected(y), x]))


def test_critics_are_shown_earlier_fakes():
    torch.manual_seed(0)
    method = CycleGAN(replace(SMALL, pool=2))
    method.discriminator.clean = discriminator = Says(0.0)
    for first in range(0, 40, 2):
        list(method.training_step(samples(first, 2)))
    shown = torch.cat([x[:2] for x in discriminator.shown[1::2]])
    fakes = torch.cat(discriminator.shown[0::2])
    new = [torch.equal(a, b) for a, b in zip(shown, fakes, strict=True)]
    assert all(new[:2])
    assert 8 < sum(new[2:]) < 30
    assert all(any(torch.equal(a, b) for b in fakes[: i + 1]) for i, a in enumerate(shown))


def test_identity_can_be_left_out():
    _, losses = next(CycleGAN(replace(SMALL, identity=0.0)).training_step(samples(0, 2)))
    assert losses.keys() == {"adv_clean", "adv_affected", "cycle_clean", "cycle_affected"}


def test_gradients():
    assert_each_turn_is_its_players_own(fresh(), samples(0, 2))


def test_the_cycle_reaches_both_generators():
    method = fresh()
    _, losses = next(method.training_step(samples(0, 2)))
    for name in ("cycle_clean", "cycle_affected"):
        gradients = torch.autograd.grad(
            losses[name], list(method.generator.parameters()), retain_graph=True
        )
        assert all(gradient.any() for gradient in gradients[::2])  # biases are normalised away


def test_an_empty_slice_does_no_harm():
    scan = samples(0, 2)
    empty = replace(scan, image=torch.zeros_like(scan.image), other=torch.zeros_like(scan.image))
    method = CycleGAN(replace(SMALL, residuals=9))
    _, losses = next(method.training_step(empty))
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in method.generator.parameters())


@torch.no_grad()
def test_reduce_takes_any_size_and_answers_within_the_window():
    method = fresh().eval()
    for shape in [(1, 1, 30, 33), (2, 1, 32, 32)]:
        scan = Scan(image=torch.rand(shape) * 0.6)
        out = method.reduce(scan)
        assert out.shape == shape
        assert 0 <= out.min() <= out.max() <= 0.5
    torch.testing.assert_close(
        out, network_to_mu(method.generator["clean"](mu_to_network(scan.image)))
    )


@pytest.mark.recipe
def test_an_interruption_changes_nothing(tmp_path):
    assert_interruption_changes_nothing(fresh, tmp_path)


@pytest.mark.recipe
def test_stripes_come_off():
    torch.manual_seed(0)
    before = learned_by_heart(CycleGAN(SMALL), steps=0)
    assert learned_by_heart(CycleGAN(SMALL), steps=60) < min(0.06, before / 3)
