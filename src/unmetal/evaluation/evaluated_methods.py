"""The methods of an evaluation by name, with what is known of them and their weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from unmetal.errors import InputError
from unmetal.methods.method import Method
from unmetal.weights import checkpoint
from unmetal.weights.load import load_method


class EvaluatedMethod(NamedTuple):
    """A method that is to be evaluated."""

    source: str
    """Its name as `weights.load.load_method` takes it."""
    method: Method
    facts: dict[str, Any]
    """See `facts`."""


def load_methods(sources: Iterable[str]) -> dict[str, EvaluatedMethod]:
    """Methods by the last part of their names or paths; raises `InputError`."""
    loaded: dict[str, EvaluatedMethod] = {}
    for source in sources:
        name = Path(source).name
        method, card = load_method(source)
        if name in loaded:
            raise InputError(f"{loaded[name].source} and {source} would both be called {name}")
        loaded[name] = EvaluatedMethod(source, method, facts(method, card))
    if not loaded:
        raise InputError("name at least one method; see `unmetal methods`")
    return loaded


def facts(method: Method, card: checkpoint.Card) -> dict[str, Any]:
    """What is known of a method: its class, how many `parameters` the network has that `reduce`
    needs and how many `learned` with it (discriminators too), and from the card of its weights the
    `samples` that they saw, their `sha256` and the `commit` that trained them."""
    players = dict(method.named_children())
    return {
        "class": type(method).__name__,
        "parameters": parameters(players.get("generator", method)),
        "learned": parameters(method),
        **{key: card.get(key) for key in ("samples", "sha256", "commit")},
    }


def parameters(network: nn.Module) -> int:
    """How many numbers can be learned."""
    return sum(parameter.numel() for parameter in network.parameters())
