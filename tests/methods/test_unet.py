"""The supervised U-Net: its one loss, what it answers, and that it learns."""

import pytest
import torch
from loop import (
    assert_each_turn_is_its_players_own,
    assert_interruption_changes_nothing,
    learned_by_heart,
    one_pair,
    samples,
)

from unmetal.methods.unet import Config, SupervisedUNet
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu

SMALL = Config(width=4)


def fresh():
    return SupervisedUNet(SMALL)


def test_loss_is_the_mean_distance_to_the_truth():
    method, scan = fresh().eval(), samples(0, 2)
    ((player, losses),) = method.training_step(scan)
    expected = (mu_to_network(method.reduce(scan)) - mu_to_network(scan.clean)).abs().mean()
    assert player == "generator"
    torch.testing.assert_close(losses, {"l1": expected})


def test_gradients():
    assert_each_turn_is_its_players_own(fresh(), samples(0, 2))


@torch.no_grad()
def test_reduce_takes_any_size_and_answers_within_the_window():
    method = SupervisedUNet(SMALL).eval()
    method.generator.to_image[0].weight.mul_(100)
    for shape in [(1, 1, 30, 33), (1, 1, 5, 3), (2, 1, 32, 32)]:
        out = method.reduce(Scan(image=torch.rand(shape) * 0.5))
        assert out.shape == shape
        assert 0 <= out.min() <= out.max() <= 0.5


@torch.no_grad()
def test_slices_of_a_batch_do_not_meet_once_training_is_over():
    method, scan = fresh(), samples(0, 2)
    method.generator(mu_to_network(scan.image))  # some running statistics
    method.eval()
    together, alone = method.reduce(scan), method.reduce(Scan(image=scan.image[:1]))
    torch.testing.assert_close(together[:1], alone, atol=1e-6, rtol=0)
    assert torch.equal(together, network_to_mu(method.corrected(mu_to_network(scan.image))))


@pytest.mark.recipe
def test_an_interruption_changes_nothing(tmp_path):
    assert_interruption_changes_nothing(fresh, tmp_path)


@pytest.mark.recipe
def test_one_pair_is_learned_by_heart():
    """In evaluation mode too, where running statistics replace those of the batch."""
    torch.manual_seed(0)
    scan, method = one_pair(), SupervisedUNet(Config(width=8))
    assert learned_by_heart(method, steps=100) < 0.02
    ((_, losses),) = method.train().training_step(scan)
    assert losses["l1"] < 0.02
