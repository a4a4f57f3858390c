"""The U-Net of pix2pix: counts, arithmetic, behaviour."""

import pytest
import torch
from counting import macs, parameters
from torch import nn

from unmetal.nets.unet256 import UNet256


@torch.no_grad()
def test_parameters_and_arithmetic_of_the_paper():
    network = UNet256()
    assert parameters(network) == 54_407_809
    assert macs(network, torch.zeros(1, 1, 256, 256)) == 5_947_523_072


def test_parameters_in_colour():
    with torch.device("meta"):
        # The published count is with three channels out as well: inputs of 128 channels, 4 x 4.
        assert parameters(UNet256(3)) + 2 * (128 * 4 * 4 + 1) == 54_413_955


@pytest.mark.parametrize("levels", [3, 5, 6, 8])
@torch.no_grad()
def test_one_pixel_at_the_bottom_of_any_depth_even_while_training(levels):
    network, seen = UNet256(width=2, levels=levels), []
    network.down[-1].register_forward_hook(lambda *step: seen.append(step[-1].shape))
    side = network.stride
    assert network(torch.rand(1, 1, side, side)).shape == (1, 1, side, side)
    assert seen == [(1, 2 * min(2 ** (levels - 1), 8), 1, 1)]


@pytest.mark.parametrize(("levels", "count"), [(8, 3), (7, 2), (6, 1), (5, 0), (3, 0)])
def test_the_deep_levels_of_equal_width_forget_but_the_innermost(levels, count):
    network = UNet256(width=2, levels=levels)
    forgetful = [any(isinstance(m, nn.Dropout) for m in up) for up in network.up]
    assert forgetful == [False, *[True] * count, *[False] * (levels - 2 - count)]


@torch.no_grad()
def test_only_training_is_random():
    network, x = UNet256(width=2, levels=6), torch.rand(1, 1, 64, 64)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))
