"""The U-Net: counts, arithmetic, behaviour."""

import torch
from counting import macs, parameters
from torch import nn

from unmetal.nets.unet import UNet, Up


@torch.no_grad()
def test_parameters_and_arithmetic():
    network = UNet()
    assert parameters(network) == 13_394_177
    # A sixty-fourth of the pixels of 256 x 256.
    assert 64 * macs(network, torch.zeros(1, 1, 32, 32)) == 30_844_911_616


@torch.no_grad()
def test_image_in_image_out():
    network = UNet(width=2).eval()
    for shape in [(2, 1, 16, 16), (1, 1, 32, 48)]:
        out = network(torch.rand(shape))
        assert out.shape == shape
        assert out.abs().max() <= 1


@torch.no_grad()
def test_the_way_up_is_made_of_what_is_skipped_before_what_comes_from_below():
    up = Up(below=2, skip=3, outputs=4).eval()
    below, skip = torch.rand(1, 2, 5, 5), torch.rand(1, 3, 10, 10)
    large = nn.functional.interpolate(below, (10, 10), mode="bilinear", align_corners=True)
    assert torch.equal(up(below, skip), up.body(torch.cat([skip, large], dim=1)))


@torch.no_grad()
def test_bottleneck_is_a_sixteenth_of_the_image():
    network, seen = UNet(width=2).eval(), []
    network.down[-1].register_forward_hook(lambda *step: seen.append(step[-1].shape))
    network(torch.rand(1, 1, 64, 96))
    assert seen == [(1, 16, 4, 6)]
