"""PriorNet: what its networks see, what is made of their images, and that they learn."""

from dataclasses import replace

import pytest
import torch
from hips import error, scanned
from learning import losses, pair
from torch import Tensor, nn

from unmetal.methods import build
from unmetal.methods.prior_inputs import SCALE_HU, network_inputs, segmenter_inputs
from unmetal.methods.prior_losses import SCALES, multiscale_l1, refiner_losses
from unmetal.methods.prior_net import DOUBT, OUTPUT_HU, Config, PriorNet, corrections, trust
from unmetal.training.loop import Config as Training
from unmetal.units import hu_to_mu, mu_to_hu

SMALL = Config(width=8, levels=3, segmenter_width=8, size=64)


class Constant(nn.Module):
    """A network that answers the same at every pixel."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.full_like(x[:, :1], self.value)


class Sure(nn.Module):
    """A refiner that changes nothing and expects no error."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(x[:, :1]), torch.full_like(x[:, :1], -20)], 1)


def test_the_start_is_nmar_s_own_image() -> None:
    scan = scanned("ti", 64).scan
    method, images = PriorNet(SMALL), corrections(scan)
    assert scan.metal is not None
    prior = method.prior_of(images, scan.metal, [method.frame(images[0, 0], scan)])
    nmar = images[:, 2:]
    # The frame's 64 pixels are not the slice's, but what is added to NMAR is nothing.
    assert (mu_to_hu(prior) - mu_to_hu(nmar)).abs().max() < 1


def test_what_the_network_adds_is_in_hundreds_of_hu() -> None:
    images = hu_to_mu(torch.zeros(1, 3, 8, 8))
    method = PriorNet(SMALL)
    method.generator = Constant(0.5)
    change = method.change(images, torch.zeros(1, 1, 8, 8))
    assert mu_to_hu(images[:, 2:] + change).mean().item() == pytest.approx(0.5 * OUTPUT_HU, abs=0.1)


def test_rays_that_miss_the_metal_overrule_the_network() -> None:
    scan = scanned("ti", 64).scan
    assert scan.metal is not None
    assert scan.trace is not None
    nothing = replace(scan, metal=scan.metal & False, trace=scan.trace & False)
    method = PriorNet(SMALL)
    method.generator = Constant(3.0)
    torch.testing.assert_close(method.reduce(nothing), nothing.image)


@pytest.mark.parametrize("metal", ["ti", "fe"])
def test_with_the_truth_for_a_prior_it_is_better_than_nmar(
    metal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation, method = scanned(metal, 64), PriorNet(SMALL)

    def truth(*_: object) -> Tensor:
        return simulation.free_image

    monkeypatch.setattr(method, "prior_of", truth)
    method.refiner = Sure()
    with torch.no_grad():
        found = method.reduce(simulation.scan)
    assert error(simulation, found) < 0.6 * error(simulation, build("nmar").reduce(simulation.scan))


def test_inputs_are_near_one_whatever_the_streaks() -> None:
    hu = torch.empty(1, 3, 8, 8).uniform_(-30_000, 30_000)
    assert network_inputs(hu, torch.ones(1, 1, 8, 8)).abs().max() <= 6
    assert segmenter_inputs(hu[:, :1]).abs().max() <= 3


def test_three_pixels_at_the_maximum_are_the_end_of_the_scale() -> None:
    hu = torch.zeros(1, 1, 8, 8)
    hu[..., 0, :2] = 3071
    assert segmenter_inputs(hu)[:, 2].sum() == 0
    hu[..., 0, 2] = 3071
    assert segmenter_inputs(hu)[:, 2].sum() == 3


def test_metal_is_what_lies_within_two_pixels_of_what_the_network_says() -> None:
    class Left(nn.Module):
        """Metal in the leftmost column only."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.where(torch.arange(x.shape[-1]) == 0, 1.0, -1.0).expand_as(x[:, :1])

    method = PriorNet(SMALL)
    method.segmenter = Left()
    segmented = method.segment_metal(hu_to_mu(torch.full((1, 1, 9, 9), 3000.0)))
    assert segmented[0, 0, 4].tolist() == [True] * 3 + [False] * 6


def test_the_loss_of_a_constant_error_is_that_error_at_every_scale() -> None:
    error, weight = torch.full((1, 1, 32, 32), -0.25), torch.rand(1, 1, 32, 32) + 0.05
    found = multiscale_l1(error, weight)
    assert len(found) == len(SCALES)
    assert [loss.item() for loss in found.values()] == pytest.approx([0.25] * 3, rel=1e-5)


def test_errors_that_cancel_within_a_block_cost_only_at_the_finest_scale() -> None:
    rows = torch.arange(32)[:, None] + torch.arange(32)[None]
    checkers = (rows % 2 * 2.0 - 1)[None, None]
    fine, *coarse = multiscale_l1(checkers, torch.ones(1, 1, 32, 32)).values()
    assert fine == 1
    assert [loss.item() for loss in coarse] == [0, 0]


def test_to_be_as_wrong_as_before_is_no_harm_and_to_be_worse_is() -> None:
    before, weight = torch.full((1, 1, 16, 16), 0.1), torch.ones(1, 1, 16, 16)
    expected = torch.full((1, 1, 16, 16), 50.0)
    same = refiner_losses(-before, before, expected, weight)
    assert same["harm"] == 0
    worse = refiner_losses(3 * before, before, expected, weight)
    # Two block sizes, 0.2 worse in each, counted twice.
    assert worse["harm"].item() == pytest.approx(0.8, rel=1e-4)


def test_a_change_counts_as_far_as_it_exceeds_the_error_expected_of_it() -> None:
    change = torch.full((1, 1, 16, 16), -40.0)
    nothing = torch.zeros(1, 1, 16, 16)
    assert trust(nothing, change.abs()).max() == 0, "no change, no weight"
    torch.testing.assert_close(trust(change, nothing), torch.ones(1, 1, 16, 16))
    as_large = trust(change, change.abs() / DOUBT**0.5)
    torch.testing.assert_close(as_large, torch.full_like(as_large, 0.5))


def test_the_expected_error_is_best_where_it_is_the_error() -> None:
    after, weight = torch.full((1, 1, 16, 16), 0.1), torch.ones(1, 1, 16, 16)

    def likelihood(hu: float) -> float:
        expected = torch.full((1, 1, 16, 16), hu)
        return refiner_losses(after, after, expected, weight)["expected"].item()

    # The edge's means count zeros beyond the image, so the best is a little below 0.1 * SCALE_HU.
    assert likelihood(0.1 * SCALE_HU) < min(likelihood(0.2 * SCALE_HU), likelihood(0.04 * SCALE_HU))


def test_it_learns_a_scan_by_heart() -> None:
    config = Training(
        samples=80,
        batch=2,
        lr=2e-3,
        betas=(0.9, 0.99),
        muon_lr={"generator": 0.02, "refiner": 0.02},
    )
    said = losses(PriorNet(SMALL), config, pair())
    for player in ("generator", "segmenter", "refiner"):
        first, *_, last = (
            sum(loss for name, loss in step.items() if name.startswith(player)) for step in said
        )
        assert last < 0.7 * first
