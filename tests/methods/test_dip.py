"""DIP (T31): the fit improves, and depends on nothing that it should not."""

from dataclasses import replace

import pytest
import torch
from learning import one
from torch import nn

from unmetal.methods.dip import DIP, Backup, Config
from unmetal.nets.dip import Architecture
from unmetal.scan import Scan
from unmetal.units import mu_to_unit

TINY = Config(Architecture(channels=(8, 8, 8), skips=2, inputs=4), iterations=5)


def scan(height: int = 32, width: int = 32) -> Scan:
    """`[2 1 H W]`: waves, with a piece of metal and a bright streak in each."""
    x = torch.linspace(-3, 3, width)
    wave = 0.2 + 0.1 * torch.sin(torch.linspace(-3, 3, height))[:, None] * torch.cos(2 * x)
    image = torch.stack([wave, wave.flip(0) + 0.05])[:, None]
    metal = torch.zeros_like(image, dtype=torch.bool)
    metal[:, :, 4:8, 5:9] = True
    image = torch.where(metal, 3.0, image)
    image[..., 12, :] = 0.7
    return Scan(image=image, metal=metal)


def off(given: Scan, found: torch.Tensor) -> float:
    """Root mean square distance in [0, 1] where it counts."""
    counts = ~given.metal & (given.image <= 0.5)
    return float((mu_to_unit(found) - mu_to_unit(given.image))[counts].square().mean().sqrt())


@pytest.mark.recipe
def test_the_fit_improves_and_stays_within_the_window() -> None:
    given = scan()
    few, more = (DIP(replace(TINY, iterations=n, smoothing=0.9)).reduce(given) for n in (5, 60))
    assert off(given, more) < 0.4 * off(given, few)
    more = more[(given.image <= 0.5) | given.metal]
    assert 0 <= more.min() <= more.max() < 0.45, "metal is not fitted"


def test_metal_and_what_is_brighter_than_the_window_have_no_influence() -> None:
    given = scan()
    changed = torch.where(given.metal, 0.1, given.image)
    changed[..., 12, :] = 0.9
    expected = DIP(TINY).reduce(given)
    found = DIP(TINY).reduce(replace(given, image=changed))
    assert (found[..., 12, :] == 0.9).all(), "dense bone stays"
    found[..., 12, :] = expected[..., 12, :]
    assert torch.equal(found, expected)
    changed[..., 20, 20] += 0.05
    assert not torch.equal(
        DIP(TINY).reduce(replace(given, image=changed))[..., 0, :], found[..., 0, :]
    )


def test_only_its_seed_decides_and_torchs_state_is_left_alone() -> None:
    given = scan()
    torch.manual_seed(1)
    first, state = DIP(TINY).reduce(given), torch.get_rng_state()
    assert torch.equal(state, torch.manual_seed(1).get_state())
    torch.manual_seed(2)
    assert torch.equal(DIP(TINY).reduce(given), first)
    assert not torch.equal(DIP(replace(TINY, seed=1)).reduce(given), first)


def test_a_slice_does_not_depend_on_its_batch() -> None:
    given = scan()
    # Rounding grows in every step of Adam.
    method = DIP(replace(TINY, iterations=2))
    apart = torch.cat([method.reduce(one(given, index)) for index in (0, 1)])
    torch.testing.assert_close(method.reduce(given), apart, rtol=0, atol=1e-4)
    assert (apart[0] - apart[1]).abs().max() > 1e-3


def test_callers_may_be_in_inference_mode() -> None:
    given = scan()
    expected = DIP(TINY).reduce(given)
    with torch.inference_mode():
        same = Scan(image=given.image + 0, metal=given.metal & True)
        assert torch.equal(DIP(TINY).reduce(same), expected)
    with torch.no_grad():
        assert torch.equal(DIP(TINY).reduce(given), expected)
    assert not expected.requires_grad


@pytest.mark.parametrize(("height", "width"), [(33, 50), (13, 20)])
def test_any_size(height: int, width: int) -> None:
    given = scan(height, width)
    found = DIP(replace(TINY, iterations=2)).reduce(
        replace(given, image=given.image.to(torch.float64))
    )
    assert found.shape == given.image.shape
    assert found.dtype == torch.float64


def test_what_comes_out_is_a_running_mean() -> None:
    given = scan()
    images = [DIP(replace(TINY, iterations=n, smoothing=0.0)).reduce(given) for n in (1, 2, 3)]
    mean = images[0]
    for image in images[1:]:
        mean = 0.75 * mean + 0.25 * image
    found = DIP(replace(TINY, iterations=3, smoothing=0.75)).reduce(given)
    torch.testing.assert_close(found, mean, rtol=0, atol=1e-6)


def test_a_collapsed_fit_returns_to_the_last_good_weights_image_by_image() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
    backup = Backup([weight], images=3, collapse=5.0)

    def after(change: float, errors: list[float]) -> list[float]:
        with torch.no_grad():
            weight.add_(change)
        backup.check(torch.tensor(errors))
        return weight[:, 0].tolist()

    assert after(0, [0.1, 0.1, 0.1]) == [1, 2, 3]
    # 5 dB are a factor of 3.16; no number at all is a collapse too.
    assert after(1, [0.3, 0.33, torch.nan]) == [2, 2, 3]
    assert after(1, [0.9, 0.31, 0.05]) == [3, 3, 4]
    assert after(1, [0.9, 0.9, 0.15]) == [4, 4, 5]
    assert backup.errors.tolist() == pytest.approx([0.9, 0.9, 0.15])


def test_the_fit_looks_for_a_collapse(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(Backup, "check", lambda self, errors: looks.append(errors))
    DIP(replace(TINY, iterations=7, check_every=3)).reduce(scan())
    assert [look.shape for look in looks] == 3 * [(2,)]


def test_there_is_nothing_to_train() -> None:
    assert not list(DIP(TINY).parameters())
    assert not list(DIP(TINY).training_step(scan()))
