"""Muon: steps of equal size in every direction, Adam for the rest, and no state that is lost."""

import pytest
import torch
from torch import nn

from unmetal.training.muon import Muon, is_matrix, orthogonalize


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    matrix = torch.randn(2, *shape, generator=torch.Generator().manual_seed(3))
    ours = orthogonalize(matrix)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    # Of singular values that were not minute from the start: five iterations are not many.
    clear = values > 0.05 * values.sum(-1, keepdim=True)
    in_its_axes = u.mT @ ours @ v.mT
    diagonal = in_its_axes.diagonal(dim1=-2, dim2=-1)
    assert diagonal[clear].min() > 0.65
    assert diagonal.max() < 1.25
    assert (in_its_axes - torch.diag_embed(diagonal)).abs().max() < 1e-4


def test_convolutions_with_several_channels_on_both_sides_are_matrices():
    assert is_matrix(nn.Conv2d(4, 8, 3).weight)
    assert not is_matrix(nn.Conv2d(1, 8, 3).weight)
    assert not is_matrix(nn.Conv2d(8, 1, 3).weight)
    assert not is_matrix(nn.Conv2d(4, 8, 3).bias)


def test_a_step_of_a_convolution_has_the_rate_as_its_size_whatever_the_gradient():
    for factor in (1e-4, 1e4):
        convolution = nn.Conv2d(2, 32, 3, bias=False)
        before = convolution.weight.detach().clone()
        optimizer = Muon(convolution.parameters(), lr=0.1)
        noise = torch.Generator().manual_seed(1)
        convolution.weight.grad = factor * torch.randn(before.shape, generator=noise)
        optimizer.step()
        moved = (convolution.weight - before).flatten(1)
        # A tall matrix, 32 x 18: sqrt(32 / 18) times as far.
        sizes = torch.linalg.svdvals(moved) / (0.1 * (32 / 18) ** 0.5)
        assert sizes.min() > 0.6
        assert sizes.max() < 1.25


def test_the_rest_moves_as_by_adam():
    ours, theirs = nn.Linear(3, 5), nn.Linear(3, 5)
    theirs.load_state_dict(ours.state_dict())
    options = {"betas": (0.5, 0.999), "weight_decay": 1e-2}
    muon = Muon(ours.parameters(), adam_lr=0.1, **options)
    adam = torch.optim.Adam(theirs.parameters(), 0.1, **options)
    for seed in range(4):
        x = torch.randn(7, 3, generator=torch.Generator().manual_seed(seed))
        for network, optimizer in ((ours, muon), (theirs, adam)):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 1, 1))


def steps(network, optimizer, seeds):
    for seed in seeds:
        x = torch.randn(1, 1, 9, 9, generator=torch.Generator().manual_seed(seed))
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()


def test_a_saved_state_goes_on_exactly(tmp_path):
    whole, first = network(), network()
    steps(whole, Muon(whole.parameters()), range(6))
    optimizer = Muon(first.parameters())
    steps(first, optimizer, range(3))
    state = {"network": first.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    second = network()
    second.load_state_dict(state["network"])
    optimizer = Muon(second.parameters())
    optimizer.load_state_dict(state["optimizer"])
    steps(second, optimizer, range(3, 6))
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_has_no_gradient_stays():
    held = network()
    optimizer = Muon(held.parameters())
    before = [p.clone() for p in held.parameters()]
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, held.parameters(), strict=True))
