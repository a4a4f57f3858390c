"""A method ready to use: by its name, with the package's weights, or with anybody's."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor

from unmetal import methods
from unmetal.errors import InputError
from unmetal.methods.adn import ADN, Config
from unmetal.methods.exported import Exported
from unmetal.methods.method import Method
from unmetal.nets.adn_checkpoint import generator_from_released
from unmetal.weights import checkpoint
from unmetal.weights.released import folder_of, released

log = logging.getLogger("unmetal")


def load_method(name: str, weights: str | Path | None = None) -> tuple[Method, checkpoint.Card]:
    """A method, in evaluation mode on the CPU, and the card of its weights.

    The card has at least `method`, `name` and `sha256`; it is empty where nothing was learned.

    name: a method of `unmetal methods`; or in place of it what `weights` may be.
    weights: the name of released weights, a weights file or folder, a run folder, what `unmetal
        export` wrote (.onnx), or a checkpoint (.pt, .pth) in the layout that ADN's authors
        released; None takes the method's own.
    Raises `InputError`, one line, if there is no such method or the weights cannot be used.
    """
    known = methods.find(name)
    if known is None:
        return load_weights(resolve_weights(name if weights is None else weights))
    if weights is None:
        weights = methods.entry(known).weights
        if not weights:
            # Classical, or of another package: complete if it has nothing to learn.
            method = methods.build(known)
            if not method.train_inputs:
                return method.eval(), {}
        if weights not in released():
            raise InputError(
                f"{known}: no weights come with this version; make them with `unmetal train "
                f"{weights or 'EXPERIMENT'} --data COHORT --out RUN` and give --weights RUN"
            )
    method, card = load_weights(resolve_weights(weights))
    if card["method"] != known:
        raise InputError(f"{weights}: weights of {card['method']}, not of {known}")
    return method, card


def resolve_weights(source: str | Path) -> Path:
    """The file or folder of weights that a name or path means.

    A name, in any case, is that of released weights or of a method whose default they are; a path
    a weights file or folder, a run folder or a checkpoint. Raises `InputError`.
    """
    names = released()
    known = methods.find(str(source))
    for name in (str(source).lower(), methods.entry(known).weights if known else ""):
        if name in names:
            return folder_of(name)
    path = Path(source)
    if not path.exists():
        if known:
            raise InputError(
                f"{source} has no weights in the package; there are {', '.join(names)}"
            )
        there = ", ".join([*methods.all_methods(), *names])
        raise InputError(f"no method '{source}', weights or run folder; there are {there}")
    return path / "weights" if (path / "weights").is_dir() else path


def load_weights(path: Path) -> tuple[Method, checkpoint.Card]:
    """The method that weights belong to, with these in it, and their card."""
    name = path.parent.name if path.name == "weights" else path.stem
    if path.suffix == ".onnx":
        exported = Exported(path)
        return exported.eval(), {**dataclasses.asdict(exported.description), "name": name}
    if path.suffix in {".pt", ".pth"}:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return load_released_adn(path), {"method": "adn", "name": name, "sha256": sha256}
    state, card = checkpoint.load(path)
    if card.get("caution"):
        log.warning("%s: %s", path.name, card["caution"])
    method = method_from_card(card)
    load_state(method, {name: tensor.float() for name, tensor in state.items()}, path)
    return method.eval().requires_grad_(False), {**card, "name": name}


def load_state(method: Method, state: dict[str, Tensor], path: Path) -> None:
    """Load weights in place; whole players may be absent, such as discriminators.

    Raises `InputError` if they do not fit.
    """
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


def method_from_card(card: Mapping[str, Any]) -> Method:
    """The method that a card describes, with initial weights.

    Raises `InputError` if this version does not know it.
    """
    try:
        config = from_dict(methods.config_class(card["method"]), card["method_config"])
        return methods.build(card["method"], config)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"weights of another version of unmetal: {error}") from error


def from_dict(kind: Any, values: Any, hints: Mapping[str, Any] | None = None) -> Any:
    """Undo `dataclasses.asdict` and a passage through JSON.

    hints: the types of fields whose annotation leaves them open.
    """
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind)):
        return tuple(values) if isinstance(values, list) else values
    types = get_type_hints(kind) | dict(hints or {})
    return kind(**{name: from_dict(types[name], value) for name, value in values.items()})
