"""cGANMAR as pix2pix: losses, order of updates, and that it learns."""

import math
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

from unmetal.methods.adversarial import discriminator_loss
from unmetal.methods.cganmar import CGANMAR, Config
from unmetal.scan import Scan
from unmetal.units import mu_to_network

SMALL = Config(width=4, discriminator_width=4)


class Says(nn.Module):
    """A discriminator that gives every image the same score, and remembers what it was shown."""

    def __init__(self, score=0.0):
        super().__init__()
        self.score, self.shown = nn.Parameter(torch.tensor(score)), []

    def forward(self, x):
        self.shown.append(x)
        return self.score.expand(len(x), 1, 3, 3)


def test_losses_of_an_undecided_critic():
    method, scan = CGANMAR(SMALL), samples(0, 2)
    method.discriminator = Says(0.0)
    (discriminator, d_losses), (generator, losses) = method.training_step(scan)
    assert (discriminator, generator) == ("discriminator", "generator")
    assert d_losses["pairs"].item() == pytest.approx(math.log(2))
    assert losses["adv"].item() == pytest.approx(math.log(2))
    distance = (mu_to_network(method.reduce(scan)) - mu_to_network(scan.clean)).abs().mean()
    assert losses["recon"].item() == pytest.approx(100 * distance.item(), rel=1e-5)


def test_the_critic_sees_the_affected_slice_beside_the_other():
    method, scan = CGANMAR(SMALL), samples(0, 2)
    method.discriminator = discriminator = Says()
    list(method.training_step(scan))
    x, y = mu_to_network(scan.image), mu_to_network(scan.clean)
    made = mu_to_network(method.reduce(scan))
    for shown, beside in zip(discriminator.shown, (made, y, made), strict=True):
        torch.testing.assert_close(shown, torch.cat([x, beside], dim=1))
    assert not discriminator.shown[0].requires_grad
    assert discriminator.shown[2].requires_grad


def test_the_generator_answers_the_critic_that_has_moved():
    method, scan = CGANMAR(SMALL), samples(0, 2)
    method.discriminator = Says(0.0)
    steps = method.training_step(scan)
    next(steps)
    with torch.no_grad():
        method.discriminator.score.fill_(2.0)
    _, losses = next(steps)
    assert losses["adv"].item() == pytest.approx(math.log(1 + math.exp(-2)))
    losses["recon"].backward()  # nor has what moved spoilt the generator's gradients


def test_a_critic_with_batch_statistics_sees_fakes_and_reals_apart():
    discriminator = nn.BatchNorm2d(1)
    fakes, reals = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    # Alone both are flat and become 0, in one batch they become -1 and 1.
    apart = discriminator_loss(discriminator, fakes, reals, "vanilla", apart=True)
    assert apart.item() == pytest.approx(math.log(2))
    together = discriminator_loss(discriminator, fakes, reals, "vanilla")
    assert together.item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-3)


def test_gradients():
    assert_each_turn_is_its_players_own(CGANMAR(SMALL), samples(0, 2))


@torch.no_grad()
def test_reduce_takes_any_size_and_gives_the_same_twice():
    method = CGANMAR(SMALL).eval()
    for shape in [(1, 1, 30, 33), (1, 1, 9, 7), (2, 1, 32, 32)]:
        scan = Scan(image=torch.rand(shape) * 0.6)
        out = method.reduce(scan)
        assert out.shape == shape
        assert 0 <= out.min() <= out.max() <= 0.5
        assert torch.equal(out, method.reduce(scan))


def test_weights_start_small():
    torch.manual_seed(0)
    method = CGANMAR(replace(SMALL, width=16))
    first = method.generator.residual[0].body[0][0]
    assert first.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not any(p.any() for name, p in method.named_parameters() if name.endswith("bias"))


@pytest.mark.recipe
def test_an_interruption_changes_nothing(tmp_path):
    assert_interruption_changes_nothing(lambda: CGANMAR(SMALL), tmp_path)


@pytest.mark.recipe
def test_one_pair_is_learned_by_heart():
    torch.manual_seed(0)
    assert learned_by_heart(CGANMAR(SMALL), steps=100) < 0.02
