"""MUNIT's networks: counts, norms by plain formulas, and what style and content know."""

import pytest
import torch
from counting import macs, parameters

from unmetal.nets.munit import (
    AdaptiveResidual,
    ContentEncoder,
    Decoder,
    LayerNorm,
    StyleEncoder,
    adaptive_instance_norm,
)


def test_parameters_of_the_paper():
    with torch.device("meta"):
        content, style, decoder = ContentEncoder(), StyleEncoder(), Decoder()
        assert parameters(content) == 5_379_584
        assert parameters(style) == 2_758_664
        assert parameters(decoder.norms) == 1_120_768
        assert parameters(decoder) == 5_748_353 + 1_120_768
        assert sum(map(parameters, (content, style, decoder))) == 15_007_369
        assert decoder.norms(torch.empty(1, 8)).shape == (1, 4096)


@torch.no_grad()
def test_arithmetic_of_the_paper():
    # At a quarter of the width all but the first and last layers cost a sixteenth.
    code, style = torch.zeros(1, 64, 8, 8), torch.zeros(1, 8)
    narrow = Decoder(16)
    ends = 49 * 32 * 32
    inner = macs(narrow, code, style) - 16 * ends - macs(narrow.norms, style)
    # 64 times the pixels of 32 x 32; the count for ADN's decoder, which has the same layers.
    assert 64 * (16 * inner + 64 * ends) == 46_376_419_328


def test_shapes():
    x = torch.rand(2, 1, 32, 48)
    content, style = ContentEncoder(4)(x), StyleEncoder(4, size=5)(x)
    assert content.shape == (2, 16, 8, 12)
    assert style.shape == (2, 5)
    assert Decoder(4, size=5)(content, style).shape == x.shape


def test_layer_norm_is_munits_own():
    torch.manual_seed(0)
    norm, x = LayerNorm(6), torch.rand(3, 6, 5, 7)
    assert 0 <= norm.weight.min() < 0.9 < 6 * norm.weight.max()
    assert not norm.bias.any()
    norm.bias.data.normal_()
    flat = x.flatten(1)
    mean, std = flat.mean(1), flat.std(1, unbiased=True)
    expected = (x - mean.view(3, 1, 1, 1)) / (std.view(3, 1, 1, 1) + 1e-5)
    torch.testing.assert_close(norm(x), expected * norm.weight + norm.bias)


def test_layer_norm_of_a_flat_slice_has_a_gradient():
    x = torch.full((1, 2, 4, 4), 0.3, requires_grad=True)
    out = LayerNorm(2)(x)
    assert not out.any()
    (out * torch.randn_like(out)).sum().backward()
    assert x.grad.isfinite().all()


def test_adaptive_norm_gives_mean_and_deviation():
    torch.manual_seed(0)
    x, gain, bias = torch.randn(2, 3, 40, 40) * 7 + 2, torch.rand(2, 3) + 1, torch.randn(2, 3)
    out = adaptive_instance_norm(x, gain, bias)
    torch.testing.assert_close(out.mean((2, 3)), bias)
    torch.testing.assert_close(out.std((2, 3), unbiased=False), gain)


def test_the_style_names_bias_then_gain_of_each_norm():
    torch.manual_seed(0)
    block, x = AdaptiveResidual(3), torch.randn(2, 3, 8, 8)
    zero, one = torch.zeros(2, 3), torch.ones(2, 3)
    shifted = block(x, torch.cat([zero, one, 5 * one, zero], dim=1))
    torch.testing.assert_close(shifted, x + 5)
    # A first norm far below nought leaves nothing behind its activation, so nothing varies.
    silent = block(x, torch.cat([-100 * one, one, zero, one], dim=1))
    torch.testing.assert_close(silent, x)
    assert not torch.allclose(block(x, torch.cat([zero, one, zero, one], dim=1)), x)


@torch.no_grad()
def test_content_is_blind_to_gain_and_offset_but_style_is_not():
    torch.manual_seed(0)
    content, style, x = ContentEncoder(8), StyleEncoder(8), torch.randn(1, 1, 32, 32)
    assert (content(0.5 * x + 0.3) - content(x)).abs().max() < 1e-3
    assert (style(0.5 * x + 0.3) - style(x)).abs().max() > 1e-2


@torch.no_grad()
def test_slices_of_a_batch_do_not_meet():
    torch.manual_seed(0)
    content, decoder = torch.randn(2, 16, 8, 8), Decoder(4)
    style = torch.randn(2, 8)
    alone = decoder(content[:1], style[:1])
    torch.testing.assert_close(decoder(content, style)[:1], alone, atol=1e-5, rtol=0)
    assert not torch.allclose(decoder(content[:1], style[1:]), alone, atol=1e-3)


def test_start_is_he_normal():
    torch.manual_seed(0)
    decoder = Decoder(16)
    for layer, fan in ((decoder.norms[2], 64), (decoder.residual[0].first[0], 9 * 64)):
        assert layer.weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.05)
        assert not layer.bias.any()
