"""The discriminator at several scales: counts, shapes and what each scale sees."""

import pytest
import torch
from counting import parameters, receptive_field
from torch import nn
from torch.nn import functional

from unmetal.nets.patchgan import MultiScale


def test_parameters_of_the_papers():
    with torch.device("meta"):
        assert parameters(MultiScale()) == 8_265_027


@pytest.mark.parametrize(
    ("side", "scales", "scores"), [(256, 3, [16, 8, 4]), (128, 3, [8, 4, 2]), (64, 2, [4, 2])]
)
def test_shapes_of_the_scores(side, scales, scores):
    found = MultiScale(2, scales)(torch.zeros(2, 1, side, side))
    assert [scale.shape for scale in found] == [(2, 1, s, s) for s in scores]


def test_what_a_score_sees():
    finest, *_ = MultiScale(2).scales
    assert receptive_field(finest, side=256) == 46


@pytest.mark.parametrize("slope", [0.2, 0.01])
@torch.no_grad()
def test_one_scale_is_the_plain_formula(slope):
    torch.manual_seed(0)
    discriminator, x = MultiScale(3, scales=1, slope=slope), torch.randn(2, 1, 32, 32)
    (found,) = discriminator(x)
    *weights, (last, bias) = [
        (layer.weight, layer.bias)
        for layer in discriminator.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    assert [len(w) for w, _ in weights] == [3, 6, 12, 24]
    for weight, b in weights:
        x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), "reflect"), weight, b, stride=2)
        x = torch.where(x > 0, x, slope * x)
    torch.testing.assert_close(found, functional.conv2d(x, last, bias))


@torch.no_grad()
def test_scales_see_means_in_which_padding_does_not_count():
    torch.manual_seed(0)
    discriminator, flat = MultiScale(2), torch.full((1, 1, 64, 64), 0.7)
    for scale, scores in zip(discriminator.scales, discriminator(flat), strict=True):
        torch.testing.assert_close(
            scores, scale(flat)[..., : len(scores[0, 0]), :1].expand_as(scores)
        )
    x = torch.randn(1, 1, 64, 64)
    middle = x[..., 1:4, 1:4].mean()
    small = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    assert small[0, 0, 1, 1] == pytest.approx(middle.item())
    torch.testing.assert_close(discriminator(x)[1], discriminator.scales[1](small))
