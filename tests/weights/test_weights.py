"""Weights on disk: whole or refused, with one line."""

import pytest
import torch

from unmetal.errors import InputError
from unmetal.weights import checkpoint


@pytest.fixture
def state():
    torch.manual_seed(0)
    return {"b": torch.rand(3, 4), "a": torch.rand(5).half(), "c": torch.arange(6).reshape(2, 3)}


@pytest.mark.parametrize("limit", [checkpoint.PART_BYTES, 60])
def test_weights_come_back_as_they_were(tmp_path, state, limit, monkeypatch):
    monkeypatch.setattr(checkpoint, "PART_BYTES", limit)
    files = checkpoint.save(tmp_path / "net", state, {"method": "adn", "samples": 3})
    assert len(files) == (1 if limit > 60 else 2)
    for path in (*files, tmp_path):
        found, card = checkpoint.load(path)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], state[name]) for name in state)
        assert card["samples"] == 3
        assert checkpoint.read_card(path) == card


def test_parts_replace_what_was_there(tmp_path, state, monkeypatch):
    checkpoint.save(tmp_path / "net", state, {})
    monkeypatch.setattr(checkpoint, "PART_BYTES", 60)
    checkpoint.save(tmp_path / "net", state, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "net-1-of-2.safetensors",
        "net-2-of-2.safetensors",
    ]


def test_hash_does_not_depend_on_the_cut(state):
    backwards = dict(reversed(state.items()))
    assert checkpoint.digest(state) == checkpoint.digest(backwards)
    state["a"] = state["a"] + 1
    assert checkpoint.digest(state) != checkpoint.digest(backwards)


def damaged(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


SPOILERS = {
    "one bit": damaged,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "text": lambda path: path.write_text("weights"),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_damaged_weights_are_refused_with_one_line(tmp_path, state, spoil):
    (path,) = checkpoint.save(tmp_path / "net", state, {})
    spoil(path)
    with pytest.raises(InputError, match=r"damaged") as raised:
        checkpoint.load(path)
    assert "\n" not in str(raised.value)


def test_missing_parts_and_strangers_are_refused(tmp_path, state, monkeypatch):
    monkeypatch.setattr(checkpoint, "PART_BYTES", 60)
    first, _ = checkpoint.save(tmp_path / "net", state, {})
    first.unlink()
    with pytest.raises(InputError, match="part is missing"):
        checkpoint.load(tmp_path)
    with pytest.raises(InputError, match="no weights there"):
        checkpoint.load(tmp_path / "other.safetensors")
    checkpoint.save(tmp_path / "second", state, {})
    with pytest.raises(InputError, match="holds several"):
        checkpoint.load(tmp_path)
