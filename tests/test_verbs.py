"""`unmetal.load` and `unmetal.reduce`: which weights, which device, which input."""

import numpy as np
import pytest
import torch

import unmetal
from unmetal.errors import InputError
from unmetal.methods import METHODS
from unmetal.methods.method import Method
from unmetal.reduction.settings import Settings
from unmetal.weights import checkpoint
from unmetal.weights.released import folder_of, released

LEARNED = {name: entry.weights for name, entry in METHODS.items() if entry.weights}


@pytest.mark.parametrize("name", [n for n, weights in LEARNED.items() if weights in released()])
def test_a_method_comes_with_its_released_weights(name):
    method = unmetal.load(name.upper(), device="cpu")
    state, _ = checkpoint.load(folder_of(LEARNED[name]))
    ours = method.state_dict()
    assert all(torch.equal(ours[key], value.float()) for key, value in state.items())
    assert not method.training


@pytest.mark.parametrize("name", [n for n, weights in LEARNED.items() if weights not in released()])
def test_a_method_that_must_be_trained_says_so(name):
    with pytest.raises(InputError, match=f"unmetal train {LEARNED[name]} .*--weights RUN"):
        unmetal.load(name)


def test_reduce_by_default_is_priornet():
    draw = np.random.default_rng(0)
    hu = draw.normal(0, 20, (48, 48)).astype(np.float32)
    hu[20:24, 20:24] = 5000
    by_default = unmetal.reduce(hu, spacing=4.0, device="cpu")
    assert Settings().method == "priornet"
    assert np.array_equal(by_default, unmetal.reduce(hu, "priornet", spacing=4.0, device="cpu"))
    assert not np.array_equal(by_default, hu)


def test_lists_are_arrays_and_anything_else_is_refused():
    hu = [[0.0] * 16] * 16
    assert np.array_equal(unmetal.reduce(hu, "li"), np.zeros((16, 16)))
    for wrong in ("series.dcm", [[1.0], [1.0, 2.0]], None):
        with pytest.raises(InputError, match=r"give (finite )?HU"):
            unmetal.reduce(wrong, "li")
    with pytest.raises(InputError, match="finite HU"):
        unmetal.reduce([1.0, 2.0], "li")


class Where(Method):
    """Remembers where it was asked to compute."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def reduce(self, scan):
        return scan.image


def test_the_device_moves_the_method(monkeypatch):
    monkeypatch.setattr("unmetal.device.choose_device", torch.device)
    assert next(unmetal.load("adn", device="meta").parameters()).is_meta
    seen = []

    def stop(volume, method, **options):
        seen.append((method.weight.device, options["device"]))
        raise InputError("enough")

    monkeypatch.setattr("unmetal.reduction.reduce_volume.reduce_volume", stop)
    with pytest.raises(InputError, match="enough"):
        unmetal.reduce(np.zeros((8, 8)), Where(), device="meta")
    assert seen == [(torch.device("meta"), torch.device("meta"))]
