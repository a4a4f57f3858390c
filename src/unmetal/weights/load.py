"""A method ready to use: by its name, with the package's weights, or with anybody's."""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor

from unmetal import methods
from unmetal.errors import InputError
from unmetal.methods import METHODS
from unmetal.methods.adn import ADN, Config
from unmetal.methods.method import Method
from unmetal.nets.adn_checkpoint import generator_from_released
from unmetal.weights import checkpoint

log = logging.getLogger("unmetal")


RELEASED = Path(__file__).parent
"""Where the package keeps its weights."""


def load_method(name: str, source: str | Path | None = None) -> Method:
    """A method, in evaluation mode on the CPU.

    name: a method of `unmetal methods`; or in place of it weights or a run folder, as `source`.
    source: the name of released weights, a weights file or folder, a run folder, or a checkpoint
        (.pt, .pth) in the layout that ADN's authors released.
    Raises `InputError`, one line, if there is no such method or the weights cannot be used.
    """
    known = methods.METHODS.get(name)
    if source is None and known is None:
        return with_weights(found(name))
    if source is None and known is not None:
        if not known.weights:
            return methods.load(name).eval()
        if known.weights not in released():
            raise InputError(
                f"{name}: no weights come with this version; make them with `unmetal train "
                f"{known.weights} --data COHORT --out RUN` and give --weights RUN"
            )
        source = known.weights
    assert source is not None
    method = with_weights(found(source))
    if known is not None and type(method).__name__ != known.where.split(":")[1]:
        raise InputError(f"{source}: weights of {type(method).__name__}, not of {name}")
    return method


def released() -> list[str]:
    """Names of the weights in the package."""
    return sorted(path.parent.name for path in RELEASED.glob("*/card.md"))


def found(source: str | Path) -> Path:
    """The weights that a name or path means."""
    if str(source) in released():
        return RELEASED / str(source)
    path = Path(source)
    if not path.exists():
        there = ", ".join([*methods.METHODS, *released()])
        raise InputError(f"no method '{source}', weights or run folder; there are {there}")
    return path / "weights" if (path / "weights").is_dir() else path


def with_weights(path: Path) -> Method:
    """The method that weights belong to, with them in it."""
    if path.suffix in {".pt", ".pth"}:
        return load_released_adn(path)
    state, card = checkpoint.load(path)
    if card.get("caution"):
        log.warning("%s: %s", path.name, card["caution"])
    method = method_from_card(card)
    fill(method, {name: tensor.float() for name, tensor in state.items()}, path)
    return method.eval().requires_grad_(False)


def fill(method: Method, state: dict[str, Tensor], path: Path) -> None:
    """Load weights; whole players may be absent, such as critics, which only training needs."""
    players = {name.split(".")[0] for name in state}
    try:
        missing, unexpected = method.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise InputError(f"{path}: {' '.join(str(error).split())[:200]}") from error
    wrong = [*unexpected, *(name for name in missing if name.split(".")[0] in players)]
    if wrong:
        raise InputError(f"{path}: weights of another method: {wrong[0]}")


def load_released_adn(path: Path) -> ADN:
    """ADN with a checkpoint of its authors, read without executing anything in it."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises depends on where the file is damaged
        first = re.sub(r"\s+", " ", str(error))[:120]
        raise InputError(f"{path}: not a checkpoint ({type(error).__name__}: {first})") from error
    generator = generator_from_released(state)
    method = ADN(Config(generator.architecture))
    method.generator = generator
    return method.eval().requires_grad_(False)


def method_class(name: str) -> Callable[[Any], Method]:
    """The class of a learned method by its name; it takes the `Config` beside it."""
    module, kind = METHODS[name].where.split(":")
    return getattr(import_module(module), kind)


def config_class(name: str) -> Any:
    """The `Config` of a learned method by its name."""
    return import_module(METHODS[name].where.split(":")[0]).Config


def method_from_card(card: dict[str, Any]) -> Method:
    """The method that a card describes, with fresh weights.

    Raises `InputError` if this version does not know it.
    """
    try:
        config = from_dict(config_class(card["method"]), card["method_config"])
        return method_class(card["method"])(config)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"weights of another version of unmetal: {error}") from error


def from_dict(kind: Any, values: Any, hints: Mapping[str, Any] | None = None) -> Any:
    """The dataclass that `dataclasses.asdict` and JSON have taken apart.

    hints: the types of fields whose annotation leaves them open.
    """
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return tuple(values) if isinstance(values, list) else values
    types = get_type_hints(kind) | dict(hints or {})
    return kind(**{name: from_dict(types[name], value) for name, value in values.items()})
