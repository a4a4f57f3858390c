"""PatchGAN in the forms that ADN, CycleGAN and pix2pix use."""

import pytest
import torch
from counting import macs, parameters, receptive_field
from torch import nn

from unmetal.nets.patchgan import PatchGAN


def test_parameters_of_the_papers():
    with torch.device("meta"):
        assert parameters(PatchGAN(layers=2)) == 660_929
        assert parameters(PatchGAN()) == 2_762_689
        assert parameters(PatchGAN(2, norm=nn.BatchNorm2d)) == 2_764_609
        assert parameters(PatchGAN(6, norm=nn.BatchNorm2d)) == 2_768_705


def test_arithmetic_of_pix2pix():
    with torch.device("meta"):
        image = torch.empty(1, 2, 256, 256)
        assert round(macs(PatchGAN(2, norm=nn.BatchNorm2d), image) / 1e9, 2) == 3.13


@pytest.mark.parametrize(("layers", "scores", "sees"), [(2, 62, 34), (3, 30, 70)])
def test_scores_and_what_they_see(layers, scores, sees):
    with torch.device("meta"):
        assert PatchGAN(layers=layers)(torch.empty(1, 1, 256, 256)).shape == (1, 1, scores, scores)
    assert receptive_field(PatchGAN(width=2, layers=layers, norm=nn.Identity)) == sees


def test_channels_stop_growing_at_eight_times_the_width():
    widths = [m.out_channels for m in PatchGAN(width=2, layers=5) if isinstance(m, nn.Conv2d)]
    assert widths == [2, 4, 8, 16, 16, 16, 1]


@pytest.mark.parametrize("norm", [nn.InstanceNorm2d, nn.BatchNorm2d])
def test_there_is_one_norm_per_inner_layer_and_a_bias_where_it_has_none(norm):
    discriminator = PatchGAN(width=2, norm=norm)
    assert sum(isinstance(m, norm) for m in discriminator) == 3
    biases = [m.bias is not None for m in discriminator if isinstance(m, nn.Conv2d)]
    assert biases == [True, *[norm is not nn.BatchNorm2d] * 3, True]
