"""A method ready to use: by its name, with the package's weights, or with anybody's."""

import logging
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unmetal import methods
from unmetal.engine import weights
from unmetal.engine.experiment import rebuilt
from unmetal.errors import InputError
from unmetal.methods.adn import ADN, Config
from unmetal.methods.method import Method
from unmetal.nets.released import generator_from_released

log = logging.getLogger("unmetal")

RELEASED = Path(__file__).parents[1] / "weights"
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
        return from_authors(path)
    state, card = weights.load(path)
    if card.get("caution"):
        log.warning("%s: %s", path.name, card["caution"])
    method = rebuilt(card)
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


def from_authors(path: Path) -> ADN:
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
