"""The small supervised networks: CNNMAR's, DnCNN, the two streams of DestreakNet (T4)."""

import pytest
import torch
from counting import macs, parameters, receptive_field
from torch import nn

from unmetal.nets.plain import DnCNN, DualStream, Fusion, stack


class Alone(nn.Module):
    """A network of several images that is given the same one for each."""

    def __init__(self, network, images):
        super().__init__()
        self.network, self.images = network, images

    def forward(self, x):
        return self.network(*self.images(x))


FUSION = (Fusion, lambda x: [x.expand(-1, 3, -1, -1)])
DNCNN = (DnCNN, lambda x: [x])
DUAL = (DualStream, lambda x: [x, x])


@pytest.mark.parametrize(
    ("kind", "count", "arithmetic"),
    [
        (FUSION, 28_929, 1_887_436_800),
        (DNCNN, 556_097, 36_314_284_032),
        (DUAL, 408_001, 26_688_356_352),
    ],
)
@torch.no_grad()
def test_parameters_and_arithmetic(kind, count, arithmetic):
    network, images = kind
    alone = Alone(network(), images)
    assert parameters(alone) == count
    # A 256th of the pixels of 256 x 256.
    assert 256 * macs(alone, torch.zeros(1, 1, 16, 16)) == arithmetic


@pytest.mark.parametrize(("kind", "seen"), [(FUSION, 11), (DNCNN, 35), (DUAL, 19)])
def test_receptive_field(kind, seen):
    network, images = kind
    alone = Alone(network(width=2), images).eval()
    for parameter in alone.parameters():
        nn.init.constant_(parameter, 0.1)  # so that no ReLU is shut
    assert receptive_field(alone, 48) == seen


@pytest.mark.parametrize("kind", [FUSION, DNCNN, DUAL])
def test_any_size_in_and_single_precision_out(kind):
    network, images = kind
    alone = Alone(network(width=3), images)
    with torch.autocast("cpu", torch.bfloat16):
        out = alone(torch.rand(2, 1, 17, 30))
    assert out.shape == (2, 1, 17, 30)
    assert out.dtype == torch.float32


def test_no_image_passes_through_bfloat16():
    torch.manual_seed(0)
    network, x = Fusion(width=4), torch.rand(1, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(x)
    assert torch.equal(mixed, network(x))


@torch.no_grad()
def test_a_deep_stack_keeps_the_variance_it_is_given():
    torch.manual_seed(0)
    network = nn.Sequential(*stack(64, 64, 6))
    # Torch's own start would leave 6**-6 of it.
    middle = network(torch.randn(1, 64, 32, 32))[..., 8:-8, 8:-8]
    assert 0.3 < middle.square().mean() < 3
    assert not any(layer.bias.any() for layer in network[::2])


@pytest.mark.parametrize("kind", [DNCNN, DUAL])
def test_a_residual_is_nothing_at_first(kind):
    network, images = kind
    assert not Alone(network(width=4), images)(torch.rand(2, 1, 12, 12)).any()


def test_two_streams_see_an_image_each():
    torch.manual_seed(0)
    network = DualStream(width=4)
    x, y = torch.rand(2, 1, 1, 12, 12, requires_grad=True)
    nn.init.normal_(network.joint[-1][0].weight)
    gradients = torch.autograd.grad(network(x, y).square().sum(), (x, y))
    assert all(gradient.any() for gradient in gradients)
    assert not torch.equal(network(x, y), network(y, x))
