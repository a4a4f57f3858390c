"""Slices to look at: what every method made of a few cases of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unmetal.evaluation.cases import Cases, Clean
from unmetal.evaluation.conditions import EvalConfig, evenly_spaced
from unmetal.evaluation.tables.rows import Case
from unmetal.files.npz import load_arrays

COUNT = 4
"""Cases that are shown: more do not fit on a page."""


class Pictures:
    """HU by name and case, of the cases that are wanted and were evaluated."""

    def __init__(self, wanted: tuple[Case, ...] = ()) -> None:
        self.wanted = wanted
        self.hu: dict[str, dict[Case, np.ndarray]] = {}
        """Name -> case -> float16 `[H W]`, HU: exact to a HU up to 2048."""

    def keep(self, case: Case, images: Mapping[str, Tensor]) -> None:
        """Keep slices `[H W]` in HU by name, where the case is wanted."""
        if case in self.wanted:
            for name, hu in images.items():
                values = hu.clamp(-1024, 60_000).cpu().numpy().astype(np.float16)
                self.hu.setdefault(name, {})[case] = values

    def save(self, path: Path) -> None:
        """Write an `.npz`: `slice`, `mask`, and each `hu NAME` `[cases H W]`, NaN where none is."""
        some = next(iter(next(iter(self.hu.values())).values()))
        nothing = np.full_like(some, np.nan)
        stacks: dict[str, Any] = {
            f"hu {name}": np.stack([its.get(case, nothing) for case in self.wanted])
            for name, its in self.hu.items()
        }
        slices, masks = zip(*self.wanted, strict=True)
        np.savez_compressed(path, slice=np.array(slices), mask=np.array(masks), **stacks)

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """What `save` wrote; raises `InputError`."""
        arrays = load_arrays(path)
        wanted = zip(arrays.pop("slice").tolist(), arrays.pop("mask").tolist(), strict=True)
        pictures = cls(tuple(Case(*case) for case in wanted))
        for key, stack in arrays.items():
            of_cases = zip(pictures.wanted, stack, strict=True)
            there = {case: hu for case, hu in of_cases if not np.isnan(hu).any()}
            pictures.hu[key.removeprefix("hu ")] = there
        return pictures


def choose_cases(cases: Cases, config: EvalConfig, count: int = COUNT) -> tuple[Case, ...]:
    """The cases to show: slices evenly spaced, and masks from the largest down to the median, at
    which there is something to see. Results play no part in the choice."""
    names = [cases.names[i] for i in evenly_spaced(len(cases.names), count)]
    if not isinstance(cases, Clean) or config.protocol != "adn":
        return tuple(map(Case, names))
    largest = (-cases.masks.sum((1, 2))).argsort(kind="stable")
    upper = largest[: (len(largest) + 1) // 2]
    masks = upper[evenly_spaced(len(upper), count)]
    return tuple(Case(name, int(masks[i % len(masks)])) for i, name in enumerate(names))
