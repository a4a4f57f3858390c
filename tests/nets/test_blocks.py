"""The shared layers against the plain ones that they stand for."""

import pytest
import torch
from torch import nn

from unmetal.nets.blocks import (
    FLAT,
    InFloat32,
    Residual,
    ToOneChannel,
    UpsampleConv,
    add_noise_to_flat,
    init_weights,
    layer_norm,
    pad_to_stride,
)


def test_layer_norm_is_per_slice_and_starts_with_random_gain():
    torch.manual_seed(0)
    norm, x = layer_norm(6), torch.rand(3, 6, 5, 7)
    mean = x.mean((1, 2, 3), keepdim=True)
    variance = x.var((1, 2, 3), unbiased=False, keepdim=True)
    expected = (x - mean) / (variance + 1e-5).sqrt() * norm.weight[:, None, None]
    torch.testing.assert_close(norm(x), expected)
    assert 0 <= norm.weight.min() < 0.9 < 6 * norm.weight.max()
    assert not norm.bias.any()


def test_convolution_to_one_channel_is_a_convolution():
    torch.manual_seed(0)
    ours, x = ToOneChannel(5, 7), torch.rand(2, 5, 12, 17)
    plain = nn.Conv2d(5, 1, 7, padding=3, padding_mode="reflect")
    plain.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), plain(x))


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 7), (8, 5)])
def test_doubling_is_nearest_neighbour_reflection_and_convolution(height, width):
    torch.manual_seed(0)
    ours, x = UpsampleConv(3, 4).double(), torch.rand(2, 3, height, width).double()
    plain = nn.Conv2d(3, 4, 5, padding=2, padding_mode="reflect").double()
    plain.load_state_dict(ours.state_dict())
    expected = plain(nn.functional.interpolate(x, scale_factor=2, mode="nearest"))
    torch.testing.assert_close(ours(x), expected)
    mine, theirs = (torch.autograd.grad(f.square().sum(), n.weight)[0] for f, n in
                    ((ours(x), ours), (expected, plain)))  # fmt: skip
    torch.testing.assert_close(mine, theirs)


@torch.no_grad()
def test_a_residual_of_nothing_is_the_identity():
    block, x = Residual(3, nn.ReLU()), torch.randn(2, 3, 8, 8)
    assert not torch.equal(block(x), x)
    for p in block.parameters():
        p.zero_()
    assert torch.equal(block(x), x)


@torch.no_grad()
def test_last_layers_keep_their_digits_in_mixed_precision():
    layer, x = nn.Conv2d(3, 1, 1), torch.randn(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, exact = layer(x), InFloat32(layer)(x)
    assert rounded.dtype == torch.bfloat16
    assert torch.equal(exact, layer(x))


def test_normal_start():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(8, 32, 3), nn.BatchNorm2d(512), nn.ConvTranspose2d(32, 8, 3, bias=False)
    )
    init_weights(network)
    convolution, norm, transposed = network
    for layer, mean in ((convolution, 0), (norm, 1), (transposed, 0)):
        assert layer.weight.mean().item() == pytest.approx(mean, abs=0.003)
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not convolution.bias.any()
    assert not norm.bias.any()


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (1, 1, 13, 18), (1, 1, 9, 4)])
def test_sides_of_any_length(shape):
    x, seen = torch.rand(shape), []

    def network(x):
        seen.append(x.shape)
        return -x

    assert torch.equal(pad_to_stride(network, x, 4), -x)
    assert seen[0][-2] % 4 == seen[0][-1] % 4 == 0


def test_short_sides_are_reflected_back_and_forth():
    x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    seen = []
    pad_to_stride(lambda x: seen.append(x) or x, x, 8)
    assert torch.equal(seen[0], torch.tensor([1.0, 2, 3, 2, 1, 2, 3, 2]).expand(1, 1, 8, 8))


def test_flat_images_get_noise_and_no_others():
    torch.manual_seed(0)
    x = torch.rand(3, 1, 32, 32) * 2 - 1
    x[1] = -1
    out = add_noise_to_flat(x)
    assert torch.equal(out[::2], x[::2])
    assert out[1].std().item() == pytest.approx(FLAT, rel=0.1)
    assert out[1].mean().item() == pytest.approx(-1, abs=FLAT / 5)


def test_what_a_flat_image_does_to_a_chain_of_norms():
    torch.manual_seed(0)
    chain = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
        *(Residual(4, nn.ReLU()) for _ in range(10)),
    )
    x, weight = torch.full((1, 1, 16, 16), -1.0), chain[0].weight

    def steepest(x):
        (gradient,) = torch.autograd.grad((chain(x) ** 3).sum(), weight)
        return gradient.abs().max()

    assert not steepest(x) < 1e20
    assert steepest(add_noise_to_flat(x)) < 1e5
