"""PriorNet: what its networks see, what is made of their images, and that they learn."""

from dataclasses import replace

import pytest
import torch
from hips import error, scanned
from learning import losses, pair
from torch import Tensor, nn

from unmetal.methods import build
from unmetal.methods.prior_inputs import (
    SCALE_HU,
    generator_inputs,
    refiner_inputs,
    segmenter_inputs,
)
from unmetal.methods.prior_losses import HARM, HARM_FROM_HU, SCALES, multiscale_l1, refiner_losses
from unmetal.methods.prior_net import (
    OUTPUT_HU,
    Config,
    PriorNet,
    certainty,
    completions,
    corrections,
)
from unmetal.physics.completion.metal_fit import MetalRays
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


class Chooses(nn.Module):
    """A refiner that takes one of the slice, the completed and the fitted image, as it is."""

    def __init__(self, which: int) -> None:
        super().__init__()
        self.which = which

    def forward(self, x: Tensor) -> Tensor:
        drawn = torch.zeros_like(x[:, :5])
        drawn[:, self.which] = 50
        return drawn


def test_the_start_is_nmar_s_own_image() -> None:
    scan = scanned("ti", 64).scan
    method, images = PriorNet(SMALL), corrections(scan, MetalRays.of(scan))
    assert scan.metal is not None
    prior = method.prior_of(images, scan.metal, [method.frame(images[0, 0], scan)])
    nmar = images[:, 2:3]
    # The frame's 64 pixels are not the slice's, but what is added to NMAR is nothing.
    assert (mu_to_hu(prior) - mu_to_hu(nmar)).abs().max() < 1


def test_what_the_network_adds_is_in_hundreds_of_hu() -> None:
    images = hu_to_mu(torch.zeros(1, 4, 8, 8))
    method = PriorNet(SMALL)
    method.generator = Constant(0.5)
    change = method.change(images, torch.zeros(1, 1, 8, 8))
    assert mu_to_hu(images[:, 2:3] + change).mean().item() == pytest.approx(
        0.5 * OUTPUT_HU, abs=0.1
    )


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
    method.refiner = Chooses(1)
    with torch.no_grad():
        found = method.reduce(simulation.scan)
    assert error(simulation, found) < 0.6 * error(simulation, build("nmar").reduce(simulation.scan))


def test_inputs_are_near_one_whatever_the_streaks() -> None:
    hu = torch.empty(1, 4, 8, 8).uniform_(-30_000, 30_000)
    assert generator_inputs(hu, torch.ones(1, 1, 8, 8)).abs().max() <= 6
    assert refiner_inputs(hu, torch.ones(1, 1, 8, 8)).abs().max() <= 6
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
    # Two block sizes, 0.2 worse in each, of which a little is free.
    free = HARM_FROM_HU / SCALE_HU
    assert worse["harm"].item() == pytest.approx(HARM * 2 * (0.2 - free), rel=1e-4)
    assert worse["square"].item() == pytest.approx(0.09, rel=1e-4)


@pytest.mark.parametrize("which", range(3))
def test_the_refiner_chooses_between_images_at_the_slice_s_own_pixels(which: int) -> None:
    simulation, method = scanned("ti", 64), PriorNet(SMALL)
    scan, body = simulation.scan, mu_to_hu(simulation.free_image) > -500
    method.refiner = Chooses(which)
    # A network that has not learned draws NMAR's image for a prior.
    rays = MetalRays.of(scan)
    images = completions(scan, corrections(scan, rays)[:, 2:3], rays)
    torch.testing.assert_close(method.reduce(scan)[body], images[:, which : which + 1][body])


def test_the_more_a_completion_changes_the_less_of_the_slice_is_kept() -> None:
    hu = torch.zeros(1, 4, 32, 64)
    # The left half is not changed, the right one by 25 and by 1000 HU.
    hu[:, 1, :, 32:48], hu[:, 1, :, 48:] = 25, 1000
    found = certainty(hu)
    assert found[..., :32].max() == 0
    assert found[..., 38:42].max() == 0
    assert found[..., 58:].min() == 4
    # The network that has not learned gives all three the same share.
    shares = PriorNet(SMALL).refine(hu_to_mu(hu), torch.zeros(1, 1, 32, 64)).shares
    torch.testing.assert_close(shares[..., :20], torch.full((1, 3, 32, 20), 1 / 3))
    assert shares[:, 0, :, 58:].max() < 0.01
    torch.testing.assert_close(shares[:, 1], shares[:, 2])


def test_shares_add_up_to_one_and_the_change_is_added() -> None:
    images = hu_to_mu(40 * torch.rand(2, 4, 8, 8))
    refined = PriorNet(SMALL).refine(images, torch.zeros(2, 1, 8, 8))
    torch.testing.assert_close(refined.shares.sum(1), torch.ones(2, 8, 8))
    # At the start all three have the same share.
    torch.testing.assert_close(refined.image(images), images[:, :3].mean(1, keepdim=True))
    more = replace(refined, change=refined.change + 1)
    torch.testing.assert_close(more.image(images), refined.image(images) + 1)


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
