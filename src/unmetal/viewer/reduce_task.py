"""One series reduced, and what came of it left in a folder. Runs in a process of its own, which
keeps its methods."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from unmetal import files
from unmetal.device import choose_device
from unmetal.reduction.reduce_series import Done, Tool, derivation, load_tool, with_outcome
from unmetal.reduction.reduce_volume import Reduced, reduce_volume
from unmetal.reduction.report.numbers import leveled_warnings
from unmetal.reduction.settings import Settings
from unmetal.scan import Volume
from unmetal.viewer.marks import CORRECTED, LEFT_ALONE
from unmetal.viewer.records import DERIVATION, OpenSeries, Result

DONE = "done.pickle"
"""All that a report is made from, but the volumes: the source is read again, the result lies beside
it. As `DERIVATION`, only our own processes write it, into a folder that nobody else may enter."""

KEPT_METHODS = 4
"""Loaded methods that the process keeps: the largest takes 120 MiB."""


@dataclass(frozen=True)
class Progress:
    """Slices done, of slices to do."""

    done: int
    total: int


def reduce_task(
    report: Callable[[Progress], None],
    series: OpenSeries,
    method: str,
    mask: Path | None,
    empty: Result,
) -> Result:
    """Reduce a series as `unmetal reduce` does, and fill in the result `empty`, whose folder is
    made. Raises `InputError`, and leaves no folder then.

    mask: .npy, bool `[slices H W]`: metal that was drawn, in place of what would be found.
    """
    begun = perf_counter()
    settings = Settings(method=method)
    tool = _tool(method)
    volume = files.read(series.source.path, only=series.source.only, log_warnings=False)
    metal = None if mask is None else np.load(mask)
    reduced = reduce_volume(
        volume,
        tool.method,
        threshold=settings.metal_hu,
        metal=metal,
        device=tool.device,
        progress=lambda done, total: report(Progress(done, total)),
        flips=not settings.skip_flips,
    )
    described = with_outcome(derivation(tool, settings, metal), reduced)
    done = Done(reduced, described, tool, settings, perf_counter() - begun)
    # Under another name until it is complete: what a stopped process left is never taken for it.
    partial = empty.folder.with_name(f".{empty.folder.name}")
    partial.mkdir(parents=True, mode=0o700)
    _keep(done, partial, np.load(series.values, mmap_mode="r").dtype)
    partial.rename(empty.folder)
    return _described(done, empty, edited=mask is not None)


def load_done(folder: Path, volume: Volume) -> Done:
    """What `reduce_task` left of a reduction of `volume`."""
    with (folder / DONE).open("rb") as file:
        done: Done = pickle.load(file)
    corrected = volume.with_hu(np.load(folder / "corrected.npy"))
    return replace(done, reduced=replace(done.reduced, source=volume, volume=corrected))


@lru_cache(maxsize=KEPT_METHODS)
def _tool(method: str) -> Tool:
    return load_tool(Settings(method=method), choose_device("auto"))


def _keep(done: Done, folder: Path, kind: np.dtype) -> None:
    """Write the arrays that the page shows, and what a report needs besides."""
    reduced = done.reduced
    after = reduced.volume.hu
    fits = kind == np.int16 and (np.rint(after) == after).all() and np.abs(after).max() < 2**15
    np.save(folder / "corrected.npy", after.astype(np.int16) if fits else after)
    marks = np.zeros(reduced.metal.shape, np.uint8)
    if reduced.left_alone is not None:
        marks[reduced.left_alone] = LEFT_ALONE
    marks[reduced.metal] = CORRECTED
    np.save(folder / "marks.npy", marks)
    if reduced.expected_error is not None:
        np.save(folder / "error.npy", reduced.expected_error)
    light = replace(
        done,
        tool=replace(done.tool, method=None),  # type: ignore[arg-type]
        reduced=replace(reduced, source=None, volume=None),  # type: ignore[arg-type]
    )
    (folder / DONE).write_bytes(pickle.dumps(light, pickle.HIGHEST_PROTOCOL))
    (folder / DERIVATION).write_bytes(pickle.dumps(done.derivation))


def _described(done: Done, empty: Result, *, edited: bool) -> Result:
    reduced = done.reduced
    change = reduced.volume.hu - reduced.source.hu
    whole = (np.rint(change) == change).all() and np.abs(change).max() < 2**15
    return replace(
        empty,
        title=f"{done.tool.name}, metal edited" if edited else done.tool.name,
        changed=tuple(map(int, reduced.changed)),
        metal=tuple(map(int, reduced.affected)),
        has_error=reduced.expected_error is not None,
        warnings=tuple(leveled_warnings(done)),
        objects=_objects(reduced),
        whole_difference=bool(whole),
        seconds=round(done.seconds, 1),
    )


def _objects(reduced: Reduced) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "sentence": one.sentence(),
            "corrected": bool(one.corrected_slices),
            "slices": [one.slices[0], one.slices[-1]],
        }
        for one in reduced.objects
    )
