"""DRIT: losses, the schedule of its players, attributes, and that it learns."""

import math
from dataclasses import asdict, replace

import pytest
import torch
from loop import assert_interruption_changes_nothing, one_pair, samples, trained
from torch import nn

from unmetal.methods.adversarial import REAL, gan_loss
from unmetal.methods.drit import DRIT, UNDECIDED, Config, in_groups, in_halves
from unmetal.nets.blocks import MeanStyle
from unmetal.nets.drit import Code, Normal
from unmetal.scan import Scan
from unmetal.training.loop import Config as TrainConfig
from unmetal.training.loop import Training
from unmetal.units import mu_to_network, network_to_mu
from unmetal.weights import checkpoint
from unmetal.weights.load import load_method

SMALL = Config(width=2, discriminator_width=2, scales=2, content_layers=0, attribute_size=3)
LN2 = math.log(2)
ALL = ["discriminator", "content_discriminator", ("generator", "attribute"), "generator"]
"""The turns of a group on which all players move."""


def fresh():
    return DRIT(SMALL)


class Undecided(nn.Module):
    """A discriminator whose logits are 0 at every scale, and that remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, x):
        self.shown.append(x)
        return [torch.zeros(len(x), 1, 2**s, 2**s) for s in range(3)]


class NoCode(nn.Module):
    """A generator whose contents are all 2 and whose slices are all 0."""

    def __init__(self):
        super().__init__()
        self.mean_attribute = MeanStyle(3)

    def content(self, x, domain):
        return torch.full((len(x), 4, 8, 8), 2.0)

    def slice(self, code, domain):
        return torch.zeros(len(code.content), 1, 32, 32)

    def swap(self, affected, clean):
        return self.slice(affected, "clean"), self.slice(clean, "affected")


class Standard(nn.Module):
    """An attribute encoder that says N(0, I) of everything."""

    def forward(self, x):
        return Normal(torch.zeros(len(x), 3), torch.zeros(len(x), 3))


class NoContent(nn.Module):
    """A content discriminator whose logits are 0."""

    def forward(self, content):
        return torch.zeros(len(content), 1, 2, 2)


def undecided():
    method = fresh()
    method.generator = NoCode()
    method.attribute = nn.ModuleDict({"affected": Standard(), "clean": Standard()})
    method.discriminator = nn.ModuleDict({name: Undecided() for name in method.discriminator})
    method.content_discriminator = NoContent()
    return method


def test_losses_of_black_images_and_undecided_critics():
    method = undecided()
    method.random_attribute = lambda x: torch.full((len(x), 3), 0.25)
    torch.manual_seed(0)
    x, y = torch.randn(2, 2, 1, 32, 32) * 0.02 + torch.tensor([-0.4, 0.25]).view(2, 1, 1, 1, 1)
    steps = list(method.training_step(Scan(image=network_to_mu(x), other=network_to_mu(y))))
    assert [player for player, _ in steps] == ALL
    d_losses, contents, swapped, random = (
        {name: loss.item() for name, loss in losses.items()} for _, losses in steps
    )
    images = ("clean", "affected", "random_clean", "random_affected")
    assert d_losses == pytest.approx(dict.fromkeys(images, 3 * 2 * LN2))
    assert contents == pytest.approx({"domain": 2 * LN2})
    away = x[:1].abs().mean().item() + y[:1].abs().mean().item()
    expected = {
        "adv": 2 * 3 * LN2,
        "adv_content": 2 * LN2,
        "recon": 10 * away,
        "cycle": 10 * away,
        "kl_attribute": 0,
        "square_content": 0.01 * 2 * 4,
    }
    assert swapped == pytest.approx(expected, rel=1e-5)
    assert random == pytest.approx({"adv_random": 2 * 3 * LN2, "latent": 10 * 2 * 0.25})


def test_contents_that_say_nothing_are_the_best_there_are():
    logits = torch.linspace(-3, 3, 25)
    losses = [gan_loss(logit, UNDECIDED, "vanilla").item() for logit in logits]
    assert min(losses) == losses[12] == pytest.approx(LN2)


def test_random_slices_are_judged_beside_the_second_half():
    method, scan = undecided(), samples(0, 2)
    list(method.training_step(scan))
    x, y = mu_to_network(scan.image), mu_to_network(scan.other)
    real = {
        name: discriminator.shown[0][1:] for name, discriminator in method.discriminator.items()
    }
    assert torch.equal(real["clean"], y[:1])
    assert torch.equal(real["random_clean"], y[1:])
    assert torch.equal(real["affected"], x[:1])
    assert torch.equal(real["random_affected"], x[1:])


@pytest.mark.parametrize(
    ("batch", "groups", "half"),
    [(1, [1], 1), (2, [2], 1), (3, [3], 1), (4, [2, 2], 1), (6, [2, 2, 2], 1), (12, [4, 4, 4], 2)],
)
def test_groups_and_halves(batch, groups, half):
    x = torch.arange(batch)
    found = in_groups(x)
    assert [len(group) for group in found] == groups
    assert torch.equal(torch.cat(list(found)), x)
    for group in found:
        first, second = in_halves(group)
        assert len(first) == len(second) == half
        assert (set(first.tolist()) & set(second.tolist()) == set()) == (len(group) > 1)


@pytest.mark.parametrize(("batch", "alone"), [(1, 0), (2, 0), (4, 1), (6, 2)])
def test_the_critic_of_contents_moves_alone_on_two_of_three_groups(batch, alone):
    steps = undecided().training_step(samples(0, batch))
    assert [player for player, _ in steps] == ["content_discriminator"] * alone + ALL


def reached(method):
    """Names of the parameters that have a gradient."""
    return {name for name, p in method.named_parameters() if p.grad is not None}


def test_critics_give_no_gradient_to_what_they_judge():
    method = fresh()
    steps = method.training_step(samples(0, 4))
    for player in ("content_discriminator", "discriminator", "content_discriminator"):
        who, losses = next(steps)
        assert who == player
        sum(losses.values()).backward()
        assert {name.split(".")[0] for name in reached(method)} == {player}
        method.zero_grad(set_to_none=True)


def test_every_parameter_has_its_turn():
    method, live = fresh(), set()
    for who, losses in method.training_step(samples(0, 2)):
        players = (who,) if isinstance(who, str) else who
        inputs = [p for player in players for p in method.get_submodule(player).parameters()]
        sum(losses.values()).backward(inputs=inputs)
        live |= reached(method)
        assert {name.split(".")[0] for name in reached(method)} == {*players}
        method.zero_grad(set_to_none=True)
    assert live == {name for name, _ in method.named_parameters()}


def test_the_second_turn_of_the_generator_starts_from_its_new_weights():
    method = fresh()
    steps = method.training_step(samples(0, 2))
    for _ in range(3):
        next(steps)
    for p in method.generator.parameters():
        p.data.zero_()
    _, losses = next(steps)
    black = torch.zeros(1, 1, 32, 32)
    discriminators = method.discriminator["random_clean"], method.discriminator["random_affected"]
    expected = sum(
        gan_loss(discriminator(black), REAL, "vanilla") for discriminator in discriminators
    )
    torch.testing.assert_close(losses["adv_random"], expected)


@pytest.mark.parametrize(
    "off", ["adv", "adv_content", "recon", "cycle", "kl_attribute", "square_content"]
)
def test_every_loss_can_be_left_out(off):
    *_, (_, losses), _ = DRIT(replace(SMALL, **{off: 0.0})).training_step(samples(0, 2))
    assert off not in losses
    assert len(losses) == 5


@torch.no_grad()
def test_one_answer_by_the_mean_attribute():
    torch.manual_seed(0)
    scan, method = samples(0, 2), fresh().eval()
    first = method.reduce(scan)
    assert torch.equal(first, method.reduce(scan))
    generator = method.generator
    generator.mean_attribute.update(torch.randn(4, 3))
    assert not torch.equal(first, method.reduce(scan))
    content = generator.content(mu_to_network(scan.image), "affected")
    expected = generator.slice(Code(content, generator.mean_attribute.value.expand(2, 3)), "clean")
    torch.testing.assert_close(method.reduce(scan), network_to_mu(expected))


@torch.no_grad()
def test_the_mean_attribute_is_that_of_clean_slices():
    method, scan = fresh(), samples(0, 2)
    list(method.training_step(scan))
    expected = method.attribute["clean"](mu_to_network(scan.other[:1])).mean[0]
    torch.testing.assert_close(method.generator.mean_attribute.value, expected)


@torch.no_grad()
def test_released_weights_carry_the_mean_attribute(tmp_path):
    torch.manual_seed(0)
    method, scan = fresh().eval(), samples(0, 1)
    for _ in range(150):
        method.generator.mean_attribute.update(torch.ones(1, 3))
    state = method.state_dict()
    kept = {name: t.half() for name, t in state.items() if name.startswith("generator.")}
    checkpoint.save(
        tmp_path / "drit", kept, {"method": "drit", "method_config": asdict(method.config)}
    )
    again, _ = load_method("drit", tmp_path)
    assert torch.equal(again.generator.mean_attribute.value, torch.ones(3))
    torch.testing.assert_close(again.reduce(scan), method.reduce(scan), atol=5e-3, rtol=0)


@torch.no_grad()
def test_reduce_takes_any_size_and_answers_within_the_window():
    method = fresh().eval()
    for shape in [(1, 1, 30, 33), (2, 1, 32, 32)]:
        out = method.reduce(Scan(image=torch.rand(shape) * 0.6))
        assert out.shape == shape
        assert 0 <= out.min() <= out.max() <= 0.5


def test_an_empty_slice_does_no_harm():
    scan = samples(0, 2)
    empty = replace(scan, image=torch.zeros_like(scan.image), other=torch.zeros_like(scan.image))
    method = fresh()
    for _, losses in method.training_step(empty):
        sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in method.parameters())
    assert method.eval().reduce(empty).isfinite().all()


@pytest.mark.recipe
def test_an_interruption_changes_nothing(tmp_path):
    assert_interruption_changes_nothing(fresh, tmp_path)


@pytest.mark.recipe
def test_a_pair_is_learned():
    torch.manual_seed(0)
    config = TrainConfig(samples=20, batch=1, lr=3e-3, lr_decay_fraction=0.5, weight_decay=0)
    training = Training(DRIT(replace(SMALL, width=4)), config, torch.device("cpu"))
    first, *_, last = trained(training, lambda *_: one_pair())
    for loss in ("recon", "cycle"):
        assert last[f"generator/{loss}"] < first[f"generator/{loss}"] / 2
