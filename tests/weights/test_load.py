"""A method by its name, by a run, by the authors' checkpoint."""

import pytest
import torch
from released_layout import filled

from unmetal.errors import InputError
from unmetal.methods.li import LI
from unmetal.nets.adn_checkpoint import generator_from_released
from unmetal.scan import Scan
from unmetal.units import mu_to_network, network_to_mu
from unmetal.weights.load import load_method


def test_classical_methods_need_no_weights():
    method, card = load_method("li")
    assert isinstance(method, LI)
    assert card == {}


def test_checkpoint_of_the_authors_is_a_method(tmp_path):
    path = tmp_path / "net_49.pt"
    torch.save({"model_g": filled(8), "model_dl": {}, "model_g.optimizer": {"state": {}}}, path)
    method, card = load_method("adn", path)
    assert card["name"] == "net_49"
    assert len(card["sha256"]) == 64
    x = torch.rand(1, 1, 32, 32) * 0.5
    expected = generator_from_released(filled(8)).clean(mu_to_network(x))
    torch.testing.assert_close(method.reduce(Scan(image=x)), network_to_mu(expected))


@pytest.mark.parametrize("held", [b"", b"PK\x03\x04 cut short", b"no archive at all" * 99])
def test_what_is_no_checkpoint_is_refused_with_one_line(tmp_path, held):
    path = tmp_path / "net_49.pt"
    path.write_bytes(held)
    with pytest.raises(InputError, match="not a checkpoint") as raised:
        load_method("adn", path)
    assert "\n" not in str(raised.value)


class Runs:
    """Would run a command if it were unpickled."""

    def __reduce__(self):
        return (print, ("executed",))


def test_a_checkpoint_is_never_executed(tmp_path, capsys):
    torch.save({"model_g": Runs()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_method("adn", tmp_path / "evil.pt")
    assert "executed" not in capsys.readouterr().out


def test_unknown_names_say_what_there_is():
    with pytest.raises(InputError, match=r"no method 'nothing'.*nmar"):
        load_method("nothing")
