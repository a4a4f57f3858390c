"""An experiment, one method, its data and how it is trained; and what JSON has made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, get_type_hints

from unmetal.data import samples, unpaired
from unmetal.engine import train
from unmetal.errors import InputError
from unmetal.methods import METHODS, adn
from unmetal.methods.method import Method


@dataclass(frozen=True)
class Experiment:
    """A preset of `unmetal train`."""

    line: str
    """What it is."""

    method: str = "adn"
    """A name in `unmetal.methods.METHODS`."""

    learns: Any = field(default_factory=adn.Config)
    """The method's own configuration, the `Config` beside its class."""

    data: samples.Config | unpaired.Config = field(default_factory=samples.Config)
    """What samples are made of."""

    training: train.Config = field(default_factory=train.Config)
    """How it is trained."""

    def build(self) -> Method:
        """The method, with fresh weights."""
        return method_class(self.method)(self.learns)


def method_class(name: str) -> Callable[[Any], Method]:
    """The class of a learned method by its name; it takes the `Config` beside it."""
    module, kind = METHODS[name].where.split(":")
    return getattr(import_module(module), kind)


def config_class(name: str) -> Any:
    """The `Config` of a learned method by its name."""
    return import_module(METHODS[name].where.split(":")[0]).Config


def rebuilt(card: dict[str, Any]) -> Method:
    """The method that a card describes, with fresh weights.

    Raises `InputError` if this version does not know it.
    """
    try:
        config = from_dict(config_class(card["method"]), card["learns"])
        return method_class(card["method"])(config)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"weights of another version of unmetal: {error}") from error


def from_dict(kind: Any, values: Any) -> Any:
    """The dataclass that `dataclasses.asdict` and JSON have taken apart."""
    if not dataclasses.is_dataclass(kind):
        return tuple(values) if isinstance(values, list) else values
    hints = get_type_hints(kind)
    if kind is Experiment:
        hints["learns"] = config_class(values["method"])
        hints["data"] = (samples if "protocol" in values["data"] else unpaired).Config
    return kind(**{name: from_dict(hints[name], value) for name, value in values.items()})
