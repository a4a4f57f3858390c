"""Small trainings of any method with the package's own loop, on slices that are drawn."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from unmetal.methods.method import Method
from unmetal.scan import Scan
from unmetal.training.loop import Config, Training
from unmetal.units import mu_to_network

SHORT = Config(samples=8, batch=2, lr=1e-3, lr_decay_fraction=0.5, precision="fp32", weight_decay=0)
"""Four steps."""


def samples(first: int, count: int) -> Scan:
    """Noise for slices, 32 x 32: sample i is the same whoever asks for it."""
    slices = [torch.rand(3, 1, 32, 32, generator=seeded(first + i)) * 0.5 for i in range(count)]
    image, other, clean = torch.stack(slices, dim=1)
    return Scan(image=image, other=other, clean=clean)


def seeded(seed: int) -> torch.Generator:
    """A generator of its own for every sample."""
    return torch.Generator().manual_seed(seed)


def one_pair() -> Scan:
    """A smooth slice with stripes and without; `other` is the truth too."""
    t = torch.linspace(-3, 3, 32)
    clean = (0.2 + 0.1 * torch.sin(t)[None] * torch.cos(2 * t)[:, None]).expand(1, 1, 32, 32)
    return Scan(image=(clean + 0.05 * torch.sin(9 * t)).clamp(0, 0.5), other=clean, clean=clean)


def trained(training: Training, source: Callable[[int, int], Scan] = samples) -> list[dict]:
    """Train to the end; the losses of every step."""
    return [{name: loss.item() for name, loss in said.items()} for said in training.run(source)]


def learned_by_heart(method: Method, steps: int) -> Tensor:
    """Train on `one_pair` alone; the L1 distance to the truth afterwards, in evaluation mode."""
    scan = one_pair()
    config = Config(samples=steps, batch=1, lr=3e-3, lr_decay_fraction=0.5, weight_decay=0)
    trained(Training(method, config, torch.device("cpu")), lambda *_: scan)
    assert scan.clean is not None
    with torch.no_grad():
        made = method.eval().reduce(scan)
    return (mu_to_network(made) - mu_to_network(scan.clean)).abs().mean()


def assert_interruption_changes_nothing(fresh: Callable[[], Method], folder: Path) -> None:
    """Training stopped after two of four steps and resumed from disk is training in one go."""
    cpu = torch.device("cpu")
    torch.manual_seed(0)
    whole = Training(fresh(), SHORT, cpu)
    expected = trained(whole)
    torch.manual_seed(0)
    first = Training(fresh(), SHORT, cpu)
    steps = first.run(samples)
    for _ in range(2):
        next(steps)
    torch.save(first.state(), folder / "state.pt")
    torch.manual_seed(99)
    second = Training(fresh(), SHORT, cpu)
    second.resume(torch.load(folder / "state.pt", weights_only=True))
    assert trained(second) == expected[2:]
    ours, theirs = second.method.state_dict(), whole.method.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def assert_each_turn_is_its_players_own(method: Method, scan: Scan) -> None:
    """Every parameter of the player whose turn it is gets a gradient; and none flows from a
    discriminator's loss to the generator, nor back from the loop's way of asking for gradients."""
    for player, losses in method.training_step(scan):
        assert isinstance(player, str)
        loss, moving = torch.stack(list(losses.values())).sum(), method.get_submodule(player)
        loss.backward(inputs=None if player == "discriminator" else list(moving.parameters()))
        moved = {name for name, p in method.named_parameters() if p.grad is not None}
        assert moved == {f"{player}.{name}" for name, _ in moving.named_parameters()}
        method.zero_grad(set_to_none=True)
