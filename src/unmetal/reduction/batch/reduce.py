"""What `unmetal reduce` does with a series: reduce it, write it, report on it; one or many."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from unmetal.device import choose_device
from unmetal.errors import InputError
from unmetal.files.dicom.inventory import scan
from unmetal.reduction.batch.index import write_index
from unmetal.reduction.batch.plan import Item, Outcome, Plan, carry_out, judge, plan
from unmetal.reduction.reduce_series import Done, Tool, derivation, load_tool, reduce_series
from unmetal.reduction.report.numbers import made_by, warnings
from unmetal.reduction.report.page import check_report, require_apart, write_report
from unmetal.reduction.settings import Settings
from unmetal.scan import Progress
from unmetal.workers import DIED, one_by_one, side_by_side

log = logging.getLogger("unmetal")


@dataclass(frozen=True)
class Job:
    """What is asked for; it can be sent to other processes."""

    settings: Settings
    device: str = "auto"
    report: Path | None = None
    """Where reports go."""
    identifiers: bool = False
    """Whether reports say whose images they are about."""

    @property
    def tool(self) -> Tool:
        """The method, loaded once in each process; raises `InputError`."""
        return _tool(self.settings.method, self.settings.weights, self.device)

    def planned(self, source: Path, output: Path, *, always: bool = False) -> Plan | None:
        """What is to be done where `source` is a folder of several series; None for anything else,
        unless `always`. Raises `InputError`, for a file that is no folder then, too."""
        if not source.is_dir():
            if always and source.exists():
                raise InputError(f"{source}: a file, of which there is no plan: see `unmetal info`")
            return None
        contents = scan(source)
        if len(contents.series) < 2:
            items = tuple(Item(one, source, output) for one in contents.series)
            return Plan(source, output, items, contents.aside, contents.others) if always else None
        if self.report is not None:
            require_apart(self.report, source, output)
        asked = {
            "result": True,
            "report": self.report is not None,
            "difference": self.settings.save_difference,
            "metal": self.settings.save_metal,
        }
        return plan(
            contents,
            source,
            output,
            derivation(self.tool, self.settings),
            " ".join(what for what in asked if asked[what]),
            force=self.settings.force,
        )

    def many(self, todo: Plan, jobs: int = 1) -> None:
        """Carry out a plan in `jobs` processes; raises `InputError` at the end if any failed."""
        if jobs < 1:
            raise InputError(f"--jobs {jobs}: give 1 or more")
        alone = partial(one_by_one, work=self)
        many = partial(side_by_side, work=self, jobs=jobs, died=Outcome(error=DIED))
        done = carry_out(todo, alone if jobs == 1 else many)
        if self.report is not None:
            write_index(done, self.report)
        judge(done)

    def one(
        self,
        source: Path,
        output: Path,
        *,
        progress: Progress = lambda done, total: None,
    ) -> Done:
        """A single series, whatever its format; raises `InputError`."""
        if self.report is not None:
            check_report(self.report, source, output, force=self.settings.force)
        return self._reduce(source, output, None, self.report, self.settings, progress)

    def __call__(self, item: Item) -> Outcome:
        """A series of a plan; raises nothing."""
        force = self.settings.force or item.again
        settings = replace(self.settings, force=force)
        report = None if self.report is None else self.report / item.series.name
        try:
            with muted():
                done = self._reduce(item.source, item.output, item.series.files, report, settings)
        except InputError as error:
            return Outcome(error=str(error))
        except MemoryError:
            return Outcome(error="not enough memory: try again with fewer --jobs")
        except Exception as error:  # a bug of ours must not end all other series
            return Outcome(error=f"a bug of unmetal: {type(error).__name__}: {error}")
        reduced = done.reduced
        voxel_ml = float(np.prod(reduced.source.spacing)) / 1000
        return Outcome(
            with_metal=len(reduced.affected),
            changed=len(reduced.changed),
            metal_ml=float(reduced.metal.sum() * voxel_ml),
            warnings=tuple(f"{one['key']}: {one['said']}" for one in warnings(reduced)),
            seconds=done.seconds,
        )

    def _reduce(
        self,
        source: Path,
        output: Path,
        only: tuple[str, ...] | None,
        report: Path | None,
        settings: Settings,
        progress: Progress = lambda done, total: None,
    ) -> Done:
        done = reduce_series(source, output, settings, self.tool, only=only, progress=progress)
        if report is not None:
            made = made_by(done, self.tool, settings)
            # A report of a series that was not finished then is no longer true.
            force = settings.force or only is not None
            write_report(done.reduced, made, report, identifiers=self.identifiers, force=force)
        return done


@lru_cache(maxsize=1)
def _tool(method: str, weights: str | None, device: str) -> Tool:
    return load_tool(Settings(method=method, weights=weights), choose_device(device))


@contextmanager
def muted() -> Iterator[None]:
    """Without the log of each series: of many, the archive says what became of them."""
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
