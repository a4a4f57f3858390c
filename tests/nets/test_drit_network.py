"""DRIT's networks: counts, what the domains share, noise, attributes."""

import pytest
import torch
from counting import parameters
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn import functional

from unmetal.nets import drit
from unmetal.nets.drit import (
    AttributeEncoder,
    Code,
    ContentDiscriminator,
    Generator,
    Halving,
    Noise,
    append_attribute,
    doubling,
)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return Generator(4, size=3).eval()


@pytest.fixture
def x():
    return torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_parameters_of_the_paper():
    with torch.device("meta"):
        generator = Generator()
        encoder = [generator.encode_affected, generator.encode_clean, generator.encode_shared]
        content = sum(map(parameters, encoder))
        assert content == 9_005_568
        assert parameters(generator) - content == 9_564_386
        assert 2 * parameters(AttributeEncoder()) == 2_684_064
        assert parameters(ContentDiscriminator()) == 10_683_649


@pytest.mark.parametrize(
    ("side", "layers", "scores"), [(216, 3, 1), (256, 3, 2), (128, 2, 2), (64, 1, 3), (32, 0, 5)]
)
def test_scores_of_contents(side, layers, scores):
    with torch.device("meta"):
        said = ContentDiscriminator(4, layers)(torch.empty(2, 16, side // 4, side // 4))
    assert said.shape == (2, 1, scores, scores)


@pytest.mark.parametrize("side", [64, 128])
def test_the_published_critic_of_contents_needs_large_slices(side):
    with torch.device("meta"), pytest.raises(RuntimeError):
        ContentDiscriminator(4)(torch.empty(1, 16, side // 4, side // 4))


@torch.no_grad()
def test_shapes(generator, x):
    content = generator.content(x, "affected")
    assert content.shape == (2, 16, 4, 6)
    assert generator.slice(Code(content, torch.zeros(2, 3)), "clean").shape == x.shape
    mean, log_variance = AttributeEncoder(4, size=3)(x)
    assert mean.shape == log_variance.shape == (2, 3)


@torch.no_grad()
def test_noise_on_contents_in_training_only(generator, x):
    plain = generator.content(x, "clean")
    assert torch.equal(plain, generator.content(x, "clean"))
    generator.train()
    assert not torch.equal(generator.content(x, "clean"), generator.content(x, "clean"))
    added = Noise()(torch.zeros(100, 100))
    assert added.mean().item() == pytest.approx(0, abs=0.05)
    assert added.std().item() == pytest.approx(1, abs=0.05)


def test_domains_share_the_middle_and_nothing_else(generator, x):
    code = Code(generator.content(x, "affected"), torch.zeros(2, 3))
    generator.slice(code, "clean").sum().backward()
    reached = {name.split(".")[0] for name, p in generator.named_parameters() if p.grad is not None}
    assert reached == {"encode_affected", "encode_shared", "decode_shared", "decode_clean"}


def test_a_swap_of_swaps_gives_everything_back(generator):
    class Sum(nn.Module):
        def __init__(self, domain):
            super().__init__()
            self.domain = domain

        def forward(self, content, attribute):
            return content + attribute + self.domain

    generator.decode_shared = nn.Identity()
    generator.decode_affected, generator.decode_clean = Sum(1000), Sum(2000)
    x, y = Code(torch.tensor(1), torch.tensor(10)), Code(torch.tensor(2), torch.tensor(20))
    assert generator.swap(x, y) == (2021, 1012)
    y_back, x_back = generator.swap(Code(y.content, x.attribute), Code(x.content, y.attribute))
    assert (y_back, x_back) == (2022, 1011)


@torch.no_grad()
def test_every_resolution_is_told_the_attribute(generator):
    content = torch.randn(1, 16, 4, 4)
    maps = append_attribute(content, torch.tensor([[1.0, 2.0, 3.0]]))
    assert torch.equal(maps[:, :16], content)
    assert torch.equal(maps[0, 16:], torch.tensor([1.0, 2, 3]).view(3, 1, 1).expand(3, 4, 4))
    seen = []
    hook = generator.decode_clean.doublings[1].register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0])
    )
    generator.slice(Code(content, torch.tensor([[1.0, 2.0, 3.0]])), "clean")
    hook.remove()
    assert torch.equal(seen[0][0, -3:, 0, 0], torch.tensor([1.0, 2, 3]))


@torch.no_grad()
def test_contents_are_not_blind_to_gain(generator, x):
    changed = generator.content(0.5 * x + 0.3, "affected")
    assert (changed - generator.content(x, "affected")).abs().max() > 1e-2


@torch.no_grad()
def test_layer_norm_of_a_doubling():
    torch.manual_seed(0)
    _, norm, _ = doubling(3, 5)
    norm.bias.normal_()
    x = torch.randn(2, 5, 4, 6)
    assert torch.equal(norm.weight, torch.ones(5))
    gain, bias = (p[:, None, None].expand(5, 4, 6) for p in (norm.weight, norm.bias))
    torch.testing.assert_close(norm(x), functional.layer_norm(x, (5, 4, 6), gain, bias))


@torch.no_grad()
def test_halving_is_the_sum_of_two_means():
    torch.manual_seed(0)
    block, x = Halving(3, 5), torch.randn(2, 3, 8, 8)
    first, second = (layer[0] for layer in (block.body[1], block.body[3]))
    inner = first(functional.leaky_relu(x, 0.2))
    inner = second(functional.leaky_relu(inner, 0.2))
    expected = functional.avg_pool2d(inner + block.shortcut(x), 2)
    torch.testing.assert_close(block(x), expected)


def test_divergence_and_draws():
    torch.manual_seed(0)
    zero = torch.zeros(2, 3)
    assert drit.Normal(zero, zero).divergence() == 0
    mean, log_variance = torch.randn(2, 3), torch.randn(2, 3)
    here = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    standard = Independent(Normal(zero, torch.ones(2, 3)), 1)
    expected = kl_divergence(here, standard).mean()
    torch.testing.assert_close(drit.Normal(mean, log_variance).divergence(), expected)
    many = drit.Normal(mean.expand(4000, 2, 3), log_variance.expand(4000, 2, 3)).rsample()
    torch.testing.assert_close(many.mean(0), mean, atol=0.1, rtol=0)
    torch.testing.assert_close(many.std(0), (log_variance / 2).exp(), rtol=0.05, atol=0)


def test_start_is_normal_for_convolutions_only():
    torch.manual_seed(0)
    encoder, generator = AttributeEncoder(16), Generator(8)
    for layer in (encoder.body[2].body[1][0], generator.decode_clean.doublings[0][0]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert layer.bias.any()
    # PyTorch's own start of a linear layer is uniform within 1 / sqrt(inputs).
    assert encoder.mean.weight.abs().max().item() == pytest.approx(1 / 8, rel=0.05)
