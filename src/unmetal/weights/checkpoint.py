"""Weights on disk: safetensors with what made them, in parts, checked by a hash when read.

A part is a file under 16 MiB, so that weights can live in a repository; the first one's metadata
says everything, each one's says which it is. Nothing here executes what it reads.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unmetal.errors import InputError

PART_BYTES = 15 * 2**20

Card = dict[str, Any]
"""What is known about weights: method, configuration, data, samples seen, commit, metrics."""


def save(stem: Path, state: Mapping[str, Tensor], card: Card) -> list[Path]:
    """Write `stem.safetensors`, or `stem-1-of-3.safetensors` and so on; returns the files.

    The card gets `sha256`, the hash of names, types, shapes and values. Older files of the same
    stem are replaced only once the new ones are complete.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    parts = in_parts(state)
    card = {**card, "sha256": digest(state)}
    stem.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for i, part in enumerate(parts, start=1):
        name = stem.name + (f"-{i}-of-{len(parts)}" if len(parts) > 1 else "")
        path = stem.with_name(f"{name}.safetensors")
        about = {"part": f"{i}/{len(parts)}", "unmetal": json.dumps(card)}
        save_file(part, path.with_suffix(".partial"), metadata=about)
        written.append(path)
    old = {path for path in stem.parent.glob(f"{stem.name}*.safetensors") if belongs(path, stem)}
    for path in written:
        path.with_suffix(".partial").replace(path)
    for path in old - set(written):
        path.unlink()
    return written


def load(path: Path) -> tuple[dict[str, Tensor], Card]:
    """The tensors and the card; `path` is a file, any one of several parts, or their folder.

    Raises `InputError`, one line, if something is missing, damaged or not ours.
    """
    state: dict[str, Tensor] = {}
    cards, seen = [], []
    for part in parts_of(path):
        try:
            with safe_open(part, framework="pt") as held:
                about = held.metadata() or {}
                state |= {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118
            cards.append(json.loads(about["unmetal"]))
            seen.append(about["part"])
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{part}: not weights of unmetal, or damaged ({reason})") from error
    expected = [f"{i}/{len(seen)}" for i in range(1, len(seen) + 1)]
    if sorted(seen) != sorted(expected):
        raise InputError(f"{path}: a part is missing; there are only {', '.join(sorted(seen))}")
    if any(card["sha256"] != digest(state) for card in cards):
        raise InputError(f"{path}: the weights are damaged: their hash is not the one stored")
    return state, cards[0]


def read_card(path: Path) -> Card:
    """The card alone, without reading the tensors; raises `InputError` as `load` does."""
    part = parts_of(path)[0]
    try:
        with safe_open(part, framework="pt") as held:
            return json.loads((held.metadata() or {})["unmetal"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{part}: not weights of unmetal, or damaged") from error


def parts_of(path: Path) -> list[Path]:
    """All files that belong with `path`; raises `InputError` if there are none."""
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        stems = {stem_of(file) for file in files}
        if len(stems) > 1:
            raise InputError(
                f"{path}: holds several weights ({', '.join(sorted(stems))}): name one"
            )
    else:
        stem = path.with_name(stem_of(path))
        files = sorted(p for p in path.parent.glob(f"{stem.name}*") if belongs(p, stem))
    if not files:
        raise InputError(f"{path}: no weights there; they are .safetensors files")
    return files


def stem_of(path: Path) -> str:
    """`adn` of `adn.safetensors` and of `adn-1-of-3.safetensors`."""
    name = path.name.removesuffix(".safetensors")
    head, *number = name.rsplit("-", 3)
    return head if len(number) == 3 and number[1] == "of" else name


def belongs(path: Path, stem: Path) -> bool:
    """Whether a file is `stem.safetensors` or one of its parts."""
    return path.suffix == ".safetensors" and stem_of(path) == stem.name


def in_parts(state: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """The tensors in their order, cut so that no part is above `PART_BYTES` unless one alone is."""
    parts: list[dict[str, Tensor]] = [{}]
    held = 0
    for name, tensor in state.items():
        if parts[-1] and held + tensor.nbytes > PART_BYTES:
            parts.append({})
            held = 0
        parts[-1][name] = tensor
        held += tensor.nbytes
    return parts


def digest(state: Mapping[str, Tensor]) -> str:
    """sha256 of names, types, shapes and values, independent of how they are cut into files."""
    seen = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        seen.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        seen.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return seen.hexdigest()
