"""The generator of CycleGAN: counts, arithmetic, behaviour."""

import pytest
import torch
from counting import macs, parameters

from unmetal.nets.resnet import ResNet


def test_parameters_of_the_papers():
    with torch.device("meta"):
        assert parameters(ResNet()) == 11_365_633
        assert parameters(ResNet(residuals=6)) == 7_825_153
        colour = ResNet(3)
        # The published count is with three channels out as well.
        assert parameters(colour) + 2 * (64 * 7 * 7 + 1) == 11_378_179


@torch.no_grad()
def test_arithmetic_of_the_paper():
    # A sixty-fourth of the pixels of 256 x 256.
    image = torch.zeros(1, 1, 32, 32)
    assert 64 * macs(ResNet(), image) == 48_729_423_872
    assert 64 * macs(ResNet(residuals=6), image) == 34_233_909_248


@pytest.mark.parametrize("shape", [(2, 1, 16, 16), (1, 3, 20, 32)])
@torch.no_grad()
def test_image_in_image_out(shape):
    batch, channels, height, width = shape
    out = ResNet(channels, width=2, residuals=2)(torch.randn(shape))
    assert out.shape == (batch, 1, height, width)
    assert out.abs().max() < 1


@torch.no_grad()
def test_it_is_blind_to_offset_and_gain():
    torch.manual_seed(0)
    network, x = ResNet(width=4, residuals=1), torch.randn(1, 1, 32, 32)
    assert (network(0.5 * x + 0.3) - network(x)).abs().max() < 1e-3


@torch.no_grad()
def test_slices_of_a_batch_do_not_meet():
    torch.manual_seed(0)
    network, x = ResNet(width=4, residuals=1), torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(network(x)[:1], network(x[:1]), atol=1e-5, rtol=0)
