"""What a method costs: counted exactly, measure apart."""

import pytest
import torch

from unmetal.device import timed
from unmetal.evaluation import cost as module
from unmetal.evaluation.cost import cost, measure
from unmetal.evaluation.evaluated_methods import facts
from unmetal.methods import build
from unmetal.methods.adn import ADN, Config
from unmetal.methods.method import Method
from unmetal.nets.adn import Architecture

CPU = torch.device("cpu")


class Hungry(Method):
    """Takes 64 MiB for each slice, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def reduce(self, scan):
        self.calls += 1
        self.side = scan.image.shape[-1]
        return scan.image + torch.ones(16 * 2**20).sum() * 0


def test_parameters_are_the_generators_and_with_critics_all() -> None:
    method = ADN(Config(Architecture(width=2, residuals=1, discriminator_width=2)))
    found = facts(method, {})
    assert found["parameters"] == sum(p.numel() for p in method.generator.parameters())
    assert found["learned"] - found["parameters"] == sum(
        p.numel() for p in method.discriminator.parameters()
    )
    assert facts(build("li"), {}) == {
        **{"class": "LI", "parameters": 0, "learned": 0},
        **dict.fromkeys(("samples", "sha256", "commit")),
    }


def test_the_card_says_what_weights_have_seen() -> None:
    card = {"samples": 7, "sha256": "0" * 64, "commit": "abc", "method": "li"}
    assert facts(build("li"), card).items() >= {"samples": 7, "sha256": "0" * 64}.items()


def test_a_slice_is_timed_after_it_was_done_before() -> None:
    method = Hungry()
    found = measure(method, CPU, 2)
    assert method.calls == 3
    assert method.side == 128
    assert found.seconds > 0
    assert found.mib > 64


def test_what_takes_long_is_done_once(monkeypatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    method = Hungry()
    measure(method, CPU)
    assert method.calls == 1


def test_seconds_are_those_that_pass() -> None:
    made, seconds = timed(lambda: torch.ones(2**20).cumsum(0), CPU)
    assert made[-1] == 2**20
    assert 0 < seconds < 10


@pytest.mark.recipe
def test_memory_is_that_of_a_process_of_its_own(caplog) -> None:
    here = torch.ones(300 * 2**18)  # 300 MiB, which a child must not count
    found = cost("li", "cpu")
    assert found is not None
    assert 200 < found.mib < 2000
    assert 0 < found.seconds < 10
    assert cost("nothing-of-that-name", "cpu") is None
    assert "no method" in caplog.text
    assert here.sum() > 0


def test_a_process_that_takes_too_long_is_given_up(monkeypatch, caplog) -> None:
    monkeypatch.setattr(module, "LIMIT", 0.01)
    assert cost("li", "cpu") is None
    assert "more than 0.01 s" in caplog.text
