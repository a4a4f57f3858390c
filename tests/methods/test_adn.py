"""ADN's losses and turns: equations (3) to (8), and who gets which gradient."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from unmetal.methods.adn import ADN, Config, after_autoencoder, near_metal, with_teacher
from unmetal.methods.adversarial import FAKE, REAL, discriminator_loss, gan_loss, l1
from unmetal.nets.adn import Architecture
from unmetal.nets.blocks import scale_gradient
from unmetal.scan import Scan
from unmetal.units import MU_WATER, hu_to_mu, mu_to_network, network_to_mu

SMALL = Config(Architecture(width=4, residuals=1, discriminator_width=4))


@pytest.fixture
def scan():
    torch.manual_seed(1)
    image, other = torch.rand(2, 2, 1, 32, 32) * 0.5
    return Scan(image=image, other=other, clean=other.flip(-1))


@pytest.fixture
def method():
    torch.manual_seed(0)
    return ADN(SMALL)


class Says(nn.Module):
    """A discriminator that gives every image the same score."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, x):
        return torch.full((len(x), 1, 3, 3), self.score)


@pytest.mark.parametrize(("score", "g", "d"), [(0.0, 1, 0.5), (1.0, 0, 0.5), (0.5, 0.25, 0.25)])
def test_least_squares_losses_of_constant_critics(score, g, d):
    images = torch.zeros(2, 1, 8, 8)
    assert gan_loss(Says(score)(images), REAL) == g
    assert discriminator_loss(Says(score), images, images) == d


def test_logarithmic_losses_of_an_undecided_critic():
    scores = torch.zeros(2, 1, 3, 3)
    for loss in (gan_loss(scores, target, "vanilla") for target in (REAL, FAKE)):
        assert loss.item() == pytest.approx(math.log(2))
    assert discriminator_loss(Says(0.0), scores, scores, "vanilla").item() == pytest.approx(
        math.log(2)
    )


class Black(nn.Module):
    """A generator whose images are all 0."""

    def encode_artifact(self, x):
        return []

    def split(self, x, artifact=None, pull=1.0):
        return torch.zeros_like(x), torch.zeros_like(x)

    def merge(self, x, y, artifact=None):
        return torch.zeros_like(x), torch.zeros_like(y)

    def clean(self, x):
        return torch.zeros_like(x)


def test_losses_of_black_images():
    a, h = -0.4, 0.25
    method = ADN(SMALL)
    method.generator = Black()
    method.discriminator = nn.ModuleDict({"clean": Says(0.5), "affected": Says(0.5)})
    # Even slices would get noise; a ripple that changes no sign leaves all means as they are.
    ripple = 0.05 * torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    scan = Scan(image=network_to_mu(ripple + a), other=network_to_mu(ripple + h))
    (player, losses), (discriminator, _) = method.training_step(scan)
    assert (player, discriminator) == ("generator", "discriminator")
    expected = {
        "adv_clean": 0.25,
        "adv_artifact": 0.25,
        "recon": 20 * (abs(a) + abs(h)),
        "cycle": 20 * abs(h),
        "artifact": 20 * abs(a + h),
    }
    found = {name: loss.item() for name, loss in losses.items()}
    assert found == pytest.approx(expected, abs=1e-5)


def test_artifact_loss_is_nought_when_the_same_artifact_moves():
    method = ADN(replace(SMALL, adv_clean=0, adv_artifact=0, recon=0, cycle=0))

    class Mover(Black):
        def split(self, x, artifact=None, pull=1.0):
            return x, x - 0.1

        def merge(self, x, y, artifact=None):
            return y + (x - self.split(x)[1]), y

    method.generator = Mover()
    x, y = torch.rand(2, 1, 1, 32, 32) * 0.2 + 0.1
    _, losses = next(method.training_step(Scan(image=x, other=y)))
    assert losses.keys() == {"artifact"}
    assert losses["artifact"].item() == pytest.approx(0, abs=1e-5)


def test_each_turn_gives_gradients_to_its_player_only(method, scan):
    for player, losses in method.training_step(scan):
        parameters = list(getattr(method, player).parameters())
        sum(losses.values()).backward(inputs=parameters)
        assert all(p.grad is not None for p in parameters), "nothing is dead"
        others = [
            p for name, n in method.named_children() if name != player for p in n.parameters()
        ]
        assert all(p.grad is None for p in others)
        method.zero_grad(set_to_none=True)


def test_fakes_are_detached_but_the_cycle_is_not(method, scan):
    cycle_only = ADN(replace(SMALL, adv_clean=0, adv_artifact=0, recon=0, artifact=0))
    steps = cycle_only.training_step(scan)
    _, losses = next(steps)
    losses["cycle"].backward()
    generator = cycle_only.generator
    for network in ("encode_clean", "decode_affected", "encode_artifact", "encode_affected"):
        assert any(p.grad is not None for p in getattr(generator, network).parameters())
    generator.zero_grad(set_to_none=True)
    _, losses = next(steps)
    sum(losses.values()).backward()
    assert all(p.grad is None for p in generator.parameters())


def test_released_order_of_updates_is_refused_by_torch(method, scan):
    """The trap: a discriminator that has moved before the generator's gradients are taken."""
    discriminator = method.discriminator["clean"]
    _, x_clean = method.generator.split(mu_to_network(scan.image))
    loss = gan_loss(discriminator(x_clean), REAL)
    with torch.no_grad():
        for p in discriminator.parameters():
            p.add_(0.01)
    with pytest.raises(RuntimeError, match="inplace operation"):
        loss.backward()


@pytest.mark.parametrize("off", ["adv_clean", "adv_artifact", "recon", "cycle", "artifact"])
def test_every_loss_can_be_left_out(off, scan):
    _, losses = next(ADN(replace(SMALL, **{off: 0.0})).training_step(scan))
    assert off not in losses
    assert len(losses) == 4


@torch.no_grad()
def test_reduce_takes_any_size_and_answers_in_attenuation(method):
    for shape in [(1, 1, 30, 33), (2, 1, 32, 32)]:
        out = method.eval().reduce(Scan(image=torch.rand(shape) * 0.5))
        assert out.shape == shape
        assert 0 <= out.min() <= out.max() <= 0.5


@torch.no_grad()
def test_transfer_is_the_merge_of_figure_11(method, scan):
    affected = method.transfer(scan.image, scan.other)
    expected, _ = method.generator.merge(mu_to_network(scan.image), mu_to_network(scan.other))
    torch.testing.assert_close(affected, network_to_mu(expected))


def test_range_of_the_networks():
    mu = torch.tensor([0, 0.25, 0.5, 0.6])
    assert mu_to_network(mu).tolist() == pytest.approx([-1, 0, 1, 1])
    hu = torch.tensor([-1000.0, 0.0, 1604.1667])
    assert mu_to_network(hu_to_mu(hu)).tolist() == pytest.approx([-1, -0.232, 1], abs=1e-6)
    inside = torch.linspace(0, 0.5, 11)
    torch.testing.assert_close(network_to_mu(mu_to_network(inside)), inside)
    assert hu_to_mu(0.0) == MU_WATER


@pytest.mark.recipe
def test_one_pair_is_learned_by_heart(scan):
    """With the truth given, a small network gets below an L1 of 0.1 of the range on one slice."""
    torch.manual_seed(0)
    t = torch.linspace(-3, 3, 32)
    clean = (0.2 + 0.1 * torch.sin(t)[None] * torch.cos(2 * t)[:, None]).expand(1, 1, 32, 32)
    scan = Scan(image=(clean + 0.05 * torch.sin(9 * t)).clamp(0, 0.5), other=clean, clean=clean)
    method = ADN(SMALL)
    optimizer = torch.optim.Adam(method.generator.parameters(), lr=3e-3)
    for _ in range(60):
        loss = l1(method.generator.clean(mu_to_network(scan.image)), mu_to_network(clean))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_the_autoencoder_copies_both_kinds_of_slices_with_what_reduces(scan):
    torch.manual_seed(0)
    method = ADN(replace(SMALL, autoencoder=True))
    (step,) = method.training_step(scan)
    player, losses = step
    assert player == "generator"
    images = mu_to_network(torch.cat([scan.image, scan.other]))
    copied = mu_to_network(method.reduce(Scan(torch.cat([scan.image, scan.other]))))
    assert losses["recon"].item() == pytest.approx(
        20 * (copied - images).abs().mean().item(), rel=1e-4
    )
    losses["recon"].backward()
    moved = {n.split(".")[0] for n, p in method.generator.named_parameters() if p.grad is not None}
    assert moved == {"encode_affected", "decode_clean"}


def test_after_the_autoencoder_everything_is_a_copy(scan, method):
    start = ADN(SMALL)
    start.load_state_dict(after_autoencoder(method.state_dict()))
    generator = start.generator
    x, y = mu_to_network(scan.image), mu_to_network(scan.other)
    with torch.no_grad():
        x_again, x_clean = generator.split(x)
        y_affected, y_again = generator.merge(x, y)
        copies = method.generator.clean(torch.cat([x, y])).chunk(2)
    for ours, theirs in zip((x_clean, y_again, x_again, y_affected), 2 * copies, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_scaled_gradient(share):
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    there = scale_gradient(x, share)
    assert torch.equal(there, x)
    (gradient,) = torch.autograd.grad(there.sum(), x)
    assert gradient.tolist() == [share, share]


def test_without_pull_artifact_and_reconstruction_leave_the_content_alone(scan):
    torch.manual_seed(0)
    off = {"adv_clean": 0.0, "adv_artifact": 0.0, "cycle": 0.0}
    method = ADN(replace(SMALL, artifact_pull=0.0, recon_pull=0.0, **off))
    _, losses = next(method.training_step(scan))
    sum(losses.values()).backward()
    affected = list(method.generator.encode_affected.parameters())
    assert all(p.grad is None or not p.grad.any() for p in affected)
    assert all(p.grad.any() for p in method.generator.encode_artifact.parameters() if p.ndim == 4)


def test_pasting_gives_a_slice_the_artifact_and_the_metal_of_another(method):
    x_clean, y = -0.5 * torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    x = x_clean.clone()
    x[..., 2, :] += 0.25
    x[..., 4, 4] = 1.0
    method.config = replace(SMALL, paste_gain=(2.0, 2.0), paste_nothing=0.0)
    pasted = method.paste(x, x_clean, y)
    assert torch.equal(pasted[..., 2, :], torch.full((1, 1, 8), 0.5))
    assert pasted[..., 4, 4] == 1
    assert pasted.sum() == 8 * 0.5 + 1
    method.config = replace(SMALL, paste_nothing=1.0)
    assert torch.equal(method.paste(x, x_clean, y), y)


def test_patches_near_metal_count_more():
    x = torch.zeros(1, 1, 64, 64)
    assert near_metal(x, 1.0) is None
    x[..., 20, 30] = 1.0
    weights = near_metal(x, 5.0)
    assert weights[..., 20, 39] == weights[..., 11, 30] == 5
    assert weights[..., 20, 40] == weights[..., 10, 30] == 1
    scores = torch.zeros(1, 1, 32, 32)
    share = (weights > 1).float().mean().item()
    assert gan_loss(scores, REAL, weights=weights).item() == pytest.approx(1 + 4 * share, rel=0.15)
    assert gan_loss(scores, FAKE, weights=weights) == 0


def test_discriminators_take_as_many_steps_as_they_are_asked_to(scan):
    torch.manual_seed(0)
    method = ADN(replace(SMALL, discriminator_steps=3, pasted=20.0, near_metal=10.0))
    players = [player for player, _ in method.training_step(scan)]
    assert players == ["generator", *3 * ["discriminator"]]


def test_a_scanned_slice_is_pasted_on_and_compared_with_itself_before_the_scan(scan, monkeypatch):
    torch.manual_seed(0)
    method = ADN(replace(SMALL, pasted=1.0, paste_nothing=1.0))
    monkeypatch.setattr(method.generator, "clean", lambda x: x)
    scanned = replace(scan, other_scanned=scan.other + 0.01)
    _, losses = next(method.training_step(scanned))
    between = (mu_to_network(scanned.other_scanned) - mu_to_network(scan.other)).abs().mean()
    # Flat places get a little noise before they are compared.
    assert losses["pasted"].item() == pytest.approx(between.item(), rel=0.1)
    assert between > 0.02
    _, plain = next(method.training_step(scan))
    assert plain["pasted"].item() < 0.1 * between


def test_a_fixed_teacher_says_what_is_taken_off_and_the_generator_alone_learns(scan):
    torch.manual_seed(0)
    before = ADN(SMALL)
    config = replace(SMALL, distill=True, pasted=1.0, paste_gain=(1.0, 1.0), paste_nothing=0.0)
    method = ADN(config)
    weights = with_teacher(before.state_dict())
    method.load_state_dict(weights)
    scanned = replace(scan, other_scanned=scan.other)
    ((player, losses),) = list(method.training_step(scanned))
    assert player == "generator"
    assert set(losses) == {"pasted", "cycle", "recon"}
    sum(losses.values()).backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    assert all(p.grad is None for p in method.discriminator.parameters())
    # At the start teacher and generator are one: what is pasted is what the generator takes off.
    x, y = mu_to_network(scan.image), mu_to_network(scan.other)
    pasted = method.paste(x, before.generator.clean(x), y)
    expected = l1(before.generator.clean(pasted), y)
    assert losses["pasted"].item() == pytest.approx(expected.item(), rel=0.05)
    with pytest.raises(ValueError, match="scan_other"):
        list(method.training_step(scan))
