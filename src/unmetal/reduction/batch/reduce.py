"""Many series: a plan of a folder, and each of its series by `reduce_series`, in processes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from unmetal.device import choose_device
from unmetal.errors import InputError
from unmetal.files.dicom.inventory import find_series
from unmetal.reduction.batch.plan import Item, Outcome, Plan, make_plan, raise_if_failed, run_plan
from unmetal.reduction.reduce_series import Tool, derivation, load_tool, reduce_series
from unmetal.reduction.report.numbers import flags
from unmetal.reduction.settings import Settings
from unmetal.workers import DIED, one_by_one, side_by_side

log = logging.getLogger("unmetal")


@dataclass(frozen=True)
class Job:
    """What is asked for. It is sent to the worker processes, which call it with each `Item`."""

    settings: Settings
    device: str = "auto"
    report: Path | None = None
    """Where reports go."""
    identifiers: bool = False
    """Whether reports say whose images they are about."""

    def plan(self, source: Path, output: Path, *, always: bool = False) -> Plan | None:
        """What is to be done where `source` is a folder of several series; None for anything else,
        unless `always`. Raises `InputError`, for a file that is no folder then, too."""
        if not source.is_dir():
            if always and source.exists():
                raise InputError(f"{source}: a file, of which there is no plan: see `unmetal info`")
            return None
        contents = find_series(source)
        if len(contents.series) < 2:
            items = tuple(Item(one, source, output) for one in contents.series)
            return Plan(source, output, items, contents.aside, contents.others) if always else None
        if self.report is not None:
            from unmetal.reduction.report.page import require_apart  # noqa: PLC0415  (matplotlib)

            require_apart(self.report, source, output)
        wanted, report = self.settings, self.report is not None
        asked = {"report": report, "difference": wanted.save_difference, "metal": wanted.save_metal}
        made = " ".join(["result", *(what for what in asked if asked[what])])
        described = derivation(self.tool, wanted)
        return make_plan(contents, source, output, described, made, force=wanted.force)

    def carry_out(self, plan: Plan, jobs: int = 1) -> None:
        """Reduce the series of a plan in `jobs` processes; raises `InputError` at the end if any
        failed."""
        if jobs < 1:
            raise InputError(f"--jobs {jobs}: give 1 or more")
        alone = partial(one_by_one, work=self)
        many = partial(side_by_side, work=self, jobs=jobs, died=Outcome(error=DIED))
        done = run_plan(plan, alone if jobs == 1 else many)
        if self.report is not None:
            from unmetal.reduction.batch.index import write_index  # noqa: PLC0415

            write_index(done, self.report)
        raise_if_failed(done)

    def __call__(self, item: Item) -> Outcome:
        """Reduce a series of a plan; raises nothing."""
        settings = replace(self.settings, force=self.settings.force or item.again)
        only = item.series.files
        # The log is silent meanwhile: `run_plan` logs what became of the series.
        level = log.level
        log.setLevel(logging.CRITICAL)
        try:
            done = reduce_series(item.source, item.output, settings, self.tool, only=only)
            if self.report is not None:
                from unmetal.reduction.report.page import write_report  # noqa: PLC0415

                # A report that lies there is of an earlier, unfinished run, so it is replaced.
                folder = self.report / item.series.name
                write_report(done, folder, identifiers=self.identifiers, force=True)
        except InputError as error:
            return Outcome(error=str(error))
        except MemoryError:
            return Outcome(error="not enough memory: try again with fewer --jobs")
        except Exception as error:  # a bug of ours must not end all other series
            return Outcome(error=f"a bug of unmetal: {type(error).__name__}: {error}")
        finally:
            log.setLevel(level)
        reduced = done.reduced
        return Outcome(
            with_metal=len(reduced.affected),
            changed=len(reduced.changed),
            metal_ml=float(reduced.metal.sum() * reduced.source.voxel_ml),
            warnings=tuple(f"{one.key}: {one.message}" for one in flags(reduced)),
            seconds=done.seconds,
        )

    @property
    def tool(self) -> Tool:
        """The method, loaded once in each process; raises `InputError`."""
        return _tool(self.settings.method, self.settings.weights, self.device)


@lru_cache(maxsize=1)
def _tool(method: str, weights: str | None, device: str) -> Tool:
    return load_tool(Settings(method=method, weights=weights), choose_device(device))
