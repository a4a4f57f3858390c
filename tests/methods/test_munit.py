"""MUNIT: losses, turns, styles, and that it learns."""

from dataclasses import asdict, replace

import pytest
import torch
from loop import assert_interruption_changes_nothing, one_pair, samples, trained
from torch import nn

from unmetal.methods.munit import MUNIT, Config
from unmetal.nets.blocks import MeanStyle
from unmetal.nets.munit import StyleEncoder
from unmetal.scan import Scan
from unmetal.training.loop import Config as TrainConfig
from unmetal.training.loop import Training
from unmetal.units import mu_to_network, network_to_mu
from unmetal.weights import checkpoint
from unmetal.weights.load import load_method

SMALL = Config(width=2, discriminator_width=2, scales=2, style_size=3)


def fresh():
    return MUNIT(SMALL)


class Says(nn.Module):
    """A discriminator that gives every image the same score at every scale."""

    def __init__(self, score, scales=3):
        super().__init__()
        self.score, self.scales = score, scales

    def forward(self, x):
        return [torch.full((len(x), 1, 2**s, 2**s), self.score) for s in range(self.scales)]


class Black(nn.Module):
    """A translator whose contents and slices are all 0."""

    def __init__(self):
        super().__init__()
        self.mean_style = MeanStyle(3)

    def encode(self, x):
        return torch.zeros(len(x), 4, 8, 8)

    def decode(self, content, style):
        return torch.zeros(len(content), 1, 32, 32)


class NoStyle(nn.Module):
    """A style encoder whose codes are all 0."""

    def forward(self, x):
        return torch.zeros(len(x), 3)


@pytest.mark.parametrize(("score", "d", "g"), [(0.0, 3, 3), (1.0, 3, 0), (0.5, 1.5, 0.75)])
def test_losses_of_black_images(score, d, g):
    method = fresh()
    method.generator, method.inverse = Black(), Black()
    method.style = nn.ModuleDict({"clean": NoStyle(), "affected": NoStyle()})
    method.discriminator = nn.ModuleDict({"clean": Says(score), "affected": Says(score)})
    method.random_style = lambda x: torch.full((len(x), 3), 0.25)
    torch.manual_seed(0)
    x, y = torch.randn(2, 1, 1, 32, 32) * 0.02 + torch.tensor([-0.4, 0.25]).view(2, 1, 1, 1, 1)
    (first, d_losses), (second, losses) = method.training_step(
        Scan(image=network_to_mu(x), other=network_to_mu(y))
    )
    assert (first, second) == ("discriminator", ("generator", "inverse", "style"))
    assert {name: loss.item() for name, loss in d_losses.items()} == {"clean": d, "affected": d}
    away = x.abs().mean().item() + y.abs().mean().item()
    expected = {
        "adv": 2 * g,
        "recon": 10 * away,
        "style_recon": 2 * 0.25,
        "content_recon": 0,
        "cycle": 10 * away,
    }
    found = {name: loss.item() for name, loss in losses.items()}
    assert found == pytest.approx(expected, abs=1e-5)


def test_each_turn_is_its_players_own():
    torch.manual_seed(0)
    method = fresh()
    steps = method.training_step(samples(0, 2))
    _, d_losses = next(steps)
    sum(d_losses.values()).backward()
    assert reached(method) == {
        name for name, _ in method.named_parameters() if "discriminator" in name
    }
    method.zero_grad(set_to_none=True)
    players, losses = next(steps)
    inputs = [p for player in players for p in method.get_submodule(player).parameters()]
    sum(losses.values()).backward(inputs=inputs)
    assert reached(method) == {n for n, _ in method.named_parameters() if "discriminator" not in n}
    assert next(steps, None) is None


def reached(method):
    """Names of the parameters that have a gradient."""
    return {name for name, p in method.named_parameters() if p.grad is not None}


def test_the_generator_answers_the_critics_as_they_have_become():
    method = fresh()
    steps = method.training_step(samples(0, 2))
    next(steps)
    for p in method.discriminator.parameters():
        p.data.zero_()
    for discriminator in method.discriminator.values():
        for scale in discriminator.scales:
            scale[-1].bias.data.fill_(0.5)
    _, losses = next(steps)
    assert losses["adv"].item() == pytest.approx(2 * 2 * 0.25)


class Blank(nn.Module):
    """A decoder whose slices are all 0, so that no gradient comes through them."""

    def forward(self, content, style):
        return torch.zeros(len(content), 1, 32, 32)


def test_the_contents_aimed_at_are_not_held_fast():
    method = MUNIT(replace(SMALL, adv=0, recon=0, style_recon=0, cycle=0))
    method.generator.decode, method.inverse.decode = Blank(), Blank()
    _, (_, losses) = method.training_step(samples(0, 2))
    assert losses.keys() == {"content_recon"}
    losses["content_recon"].backward()
    encoders = {name for name, _ in method.named_parameters() if "encode" in name}
    # The other encoder sees the blank slices.
    assert reached(method) == encoders
    ours = method.generator.encode.down[0][0].weight.grad
    assert ours.abs().max() > 1e-6


@pytest.mark.parametrize("off", ["adv", "recon", "style_recon", "content_recon", "cycle"])
def test_every_loss_can_be_left_out(off):
    _, (_, losses) = MUNIT(replace(SMALL, **{off: 0.0})).training_step(samples(0, 2))
    assert off not in losses
    assert len(losses) == 4


def test_style_sizes_and_players():
    method = MUNIT(replace(SMALL, style_size=5))
    assert [name for name, _ in method.named_children()] == [
        "generator",
        "inverse",
        "style",
        "discriminator",
    ]
    assert isinstance(method.style["clean"], StyleEncoder)
    assert method.random_style(torch.zeros(4, 1, 8, 8)).shape == (4, 5)


@torch.no_grad()
def test_one_answer_in_the_mean_style():
    torch.manual_seed(0)
    scan, method = samples(0, 2), fresh().eval()
    first = method.reduce(scan)
    assert torch.equal(first, method.reduce(scan))
    method.generator.mean_style.update(torch.randn(4, 3))
    assert not torch.equal(first, method.reduce(scan))
    torch.testing.assert_close(
        method.reduce(scan),
        network_to_mu(
            method.generator.decode(
                method.generator.encode(mu_to_network(scan.image)),
                method.generator.mean_style.value.expand(2, 3),
            )
        ),
    )


@torch.no_grad()
def test_the_mean_style_is_that_of_clean_slices():
    method, scan = fresh(), samples(0, 2)
    list(method.training_step(scan))
    expected = method.style["clean"](mu_to_network(scan.other)).mean(0)
    torch.testing.assert_close(method.generator.mean_style.value, expected)
    assert torch.equal(
        method.inverse.mean_style.value, method.style["affected"](mu_to_network(scan.image)).mean(0)
    )


@torch.no_grad()
def test_released_weights_carry_the_mean_style(tmp_path):
    torch.manual_seed(0)
    method, scan = fresh().eval(), samples(0, 1)
    for _ in range(150):
        method.generator.mean_style.update(torch.ones(1, 3))
    state = method.state_dict()
    kept = {name: t.half() for name, t in state.items() if name.startswith("generator.")}
    checkpoint.save(
        tmp_path / "munit", kept, {"method": "munit", "method_config": asdict(method.config)}
    )
    again, _ = load_method("munit", tmp_path)
    assert torch.equal(again.generator.mean_style.value, torch.ones(3))
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
    training = Training(MUNIT(replace(SMALL, width=4)), config, torch.device("cpu"))
    first, *_, last = trained(training, lambda *_: one_pair())
    for loss in ("recon", "cycle"):
        assert last[f"generator/{loss}"] < first[f"generator/{loss}"] / 2
