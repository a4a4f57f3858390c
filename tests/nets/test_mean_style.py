"""The mean style: plain at first, then forgetful, and carried by the weights."""

import torch

from unmetal.nets.blocks import MEAN_STEPS, MeanStyle


def test_at_first_it_is_the_plain_mean():
    torch.manual_seed(0)
    style, codes = MeanStyle(3), torch.randn(20, 2, 3, requires_grad=True)
    assert torch.equal(style.expand(2), torch.zeros(2, 3))
    for step in codes:
        style.update(step)
    torch.testing.assert_close(style.expand(4), codes.mean((0, 1)).expand(4, 3))
    assert not style.value.requires_grad


def test_later_it_forgets():
    style = MeanStyle(1)
    for value in [0.0] * 1000 + [1.0] * MEAN_STEPS:
        style.update(torch.tensor([[value]]))
    torch.testing.assert_close(style.value, torch.tensor([1 - (1 - 1 / MEAN_STEPS) ** MEAN_STEPS]))


def test_it_survives_half_precision():
    style, again = MeanStyle(2), MeanStyle(2)
    for _ in range(2100):
        style.update(torch.tensor([[1.0, -0.5]]))
    again.load_state_dict({name: t.half().float() for name, t in style.state_dict().items()})
    assert torch.equal(again.value, torch.tensor([1.0, -0.5]))
    assert again.steps == MEAN_STEPS
