"""The U-Nets of 2019 and today: counts, arithmetic, behaviour."""

import pytest
import torch
from counting import macs, parameters
from torch import nn

from unmetal.nets.unet import UNet, Up

VERSIONS = ("2019", "transposed", "bilinear")


@pytest.mark.parametrize(
    ("version", "count", "arithmetic"),
    [
        ("2019", 13_394_177, 30_844_911_616),
        ("transposed", 31_036_481, 48_091_889_664),
        ("bilinear", 17_261_825, 39_904_608_256),
    ],
)
@torch.no_grad()
def test_parameters_and_arithmetic(version, count, arithmetic):
    network = UNet(version=version)
    assert parameters(network) == count
    # A sixty-fourth of the pixels of 256 x 256.
    assert 64 * macs(network, torch.zeros(1, 1, 32, 32)) == arithmetic


@pytest.mark.parametrize("version", VERSIONS)
@torch.no_grad()
def test_image_in_image_out(version):
    network = UNet(width=2, version=version).eval()
    for shape in [(2, 1, 16, 16), (1, 1, 32, 48)]:
        assert network(torch.rand(shape)).shape == shape


@torch.no_grad()
def test_the_way_up_is_made_of_what_is_skipped_before_what_comes_from_below():
    up = Up(below=2, skip=3, outputs=4, version="2019").eval()
    below, skip = torch.rand(1, 2, 5, 5), torch.rand(1, 3, 10, 10)
    large = nn.functional.interpolate(below, (10, 10), mode="bilinear", align_corners=True)
    assert torch.equal(up(below, skip), up.body(torch.cat([skip, large], dim=1)))


@torch.no_grad()
def test_bottleneck_is_a_sixteenth_of_the_image():
    network, seen = UNet(width=2).eval(), []
    network.down[-1].register_forward_hook(lambda *step: seen.append(step[-1].shape))
    network(torch.rand(1, 1, 64, 96))
    assert seen == [(1, 16, 4, 6)]


@torch.no_grad()
def test_output_is_bounded_or_not():
    x = torch.rand(1, 1, 16, 16)
    for output, bounded in (("tanh", True), ("identity", False)):
        network = UNet(width=2, output=output).eval()
        network.to_image[0].bias.fill_(3.0)
        network.to_image[0].weight.zero_()
        expected = torch.tensor(3.0).tanh() if bounded else torch.tensor(3.0)
        torch.testing.assert_close(network(x), expected.expand(1, 1, 16, 16))
