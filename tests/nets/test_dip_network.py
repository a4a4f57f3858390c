"""DIP's network (T4), and that a batch of it is so many networks."""

import math

import pytest
import torch
from counting import macs, parameters

from unmetal.nets.dip import Architecture, Skip

REDUCED = Architecture(channels=(16, 32, 64, 128, 128))
TINY = Architecture(channels=(3, 4, 5), skips=2, inputs=3)


@pytest.mark.parametrize(
    ("architecture", "count", "arithmetic"),
    [(Architecture(), 2_217_573, 19_356_975_104), (REDUCED, 1_041_781, 1_551_368_192)],
)
@torch.no_grad()
def test_parameters_and_arithmetic(architecture, count, arithmetic):
    network = Skip(architecture)
    assert parameters(network) == count
    # A sixteenth of the pixels of 256 x 256.
    assert 16 * macs(network, torch.zeros(1, 32, 64, 64)) == arithmetic
    with torch.device("meta"):
        assert parameters(Skip(architecture, images=3)) == 3 * count


def test_images_start_alike_and_share_nothing():
    torch.manual_seed(0)
    one, noise = Skip(TINY), torch.rand(1, 3, 16, 24)
    many = one.copies(3)
    out = many(noise)
    assert out.shape == (3, 1, 16, 24)
    assert 0 < out.min() < out.max() < 1
    torch.testing.assert_close(out, one(noise).expand_as(out), rtol=0, atol=1e-5)
    out[1].sum().backward()
    for parameter in many.parameters():
        first, second, third = parameter.grad.view(3, -1)
        assert not first.any()
        assert not third.any()
        assert second.isfinite().all()
    assert many.to_image[0].bias.grad.view(3)[1] != 0


@torch.no_grad()
def test_each_image_has_the_network_that_its_weights_make():
    torch.manual_seed(0)
    many, noise = Skip(TINY, images=3), torch.rand(1, 3, 16, 16)
    for parameter in many.parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    together = many(noise)
    for image in range(3):
        alone = Skip(TINY)
        for mine, all_ in zip(alone.parameters(), many.parameters(), strict=True):
            mine.copy_(all_.view(3, -1)[image].view_as(mine))
        torch.testing.assert_close(together[image], alone(noise)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("height", "width", "scales"),
    [(512, 512, 5), (64, 64, 5), (63, 90, 4), (32, 999, 4), (9, 20, 2), (4, 4, 1)],
)
def test_small_images_have_fewer_scales(height, width, scales):
    fitted = Architecture().for_size(height, width)
    assert len(fitted.channels) == scales
    assert fitted.stride == 2**scales
    coarsest = math.ceil(min(height, width) / fitted.stride)
    assert coarsest >= 2, "one pixel has no variance"


@pytest.mark.parametrize("mode", [True, False])
def test_statistics_are_always_those_of_the_image(mode):
    network = Skip(TINY).train(mode)
    assert not list(network.buffers())
    assert network(torch.rand(1, 3, 16, 16)).isfinite().all()
