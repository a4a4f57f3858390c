"""Many series: a plan of what is to be done, then one after the other or several at a time.

Each series has a folder of its own in the output, which appears whole or not at all. After a kill,
the same command goes on with what is not there yet.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from unmetal.errors import InputError
from unmetal.files.derivation import Derivation
from unmetal.files.dicom.inventory import OWN, Aside, Contents, CTSeries, is_output_of
from unmetal.files.staging import exclusive_lock, refuse_overlap
from unmetal.reduction.batch.summary import SUMMARY, SummaryRow, read_summary, write_summary

log = logging.getLogger("unmetal")

TO_DO, DONE, BEFORE, FAILED, ASIDE = "to do", "done", "done before", "failed", "set aside"
"""Status of a series, and of every object that belongs to none."""


@dataclass(frozen=True)
class Outcome:
    """What became of a series."""

    with_metal: int = 0
    """Slices."""
    changed: int = 0
    """Slices."""
    metal_ml: float = 0.0
    warnings: tuple[str, ...] = ()
    """Each `key: sentence`."""
    seconds: float = 0.0
    error: str = ""
    """One line; empty where it succeeded."""


@dataclass(frozen=True)
class Item:
    """A series of the plan."""

    series: CTSeries
    source: Path
    """The folder that holds everything."""
    output: Path
    status: str = TO_DO
    again: bool = False
    """Whether its output exists and is to be replaced."""
    earlier: SummaryRow = field(default_factory=dict)
    """Its line in the summary of an earlier run."""
    outcome: Outcome = field(default_factory=Outcome)


@dataclass(frozen=True)
class Plan:
    """Series to reduce, and objects that are set aside, each with a reason."""

    source: Path
    output: Path
    items: tuple[Item, ...]
    aside: tuple[Aside, ...]
    others: int
    """Files that are not DICOM."""
    made: str = "result"
    """What is made of each series: `result report metal`."""

    @property
    def to_do(self) -> list[Item]:
        """The series that are not done."""
        return [item for item in self.items if item.status == TO_DO]


Run = Callable[[Sequence[Item]], Iterator[tuple[Item, Outcome]]]
"""Yields each item with its outcome, in any order; does not raise for one that fails."""


def make_plan(
    contents: Contents,
    source: Path,
    output: Path,
    derivation: Derivation,
    made: str = "result",
    *,
    force: bool = False,
) -> Plan:
    """The plan of a folder: which series are done already, and which are to be.

    made: what is asked for; a finished series of which more is asked for now is done again.
    force: do everything again.
    Raises `InputError` where the output lies over the input, or holds something else.
    """
    refuse_overlap(output, source)
    earlier = read_summary(output)
    items = []
    for series in contents.series:
        item = Item(series, source, output / series.name, earlier=earlier.get(series.name, {}))
        if series.own:
            continue
        if is_output_of(item.output, series, derivation):
            there = set(str(item.earlier.get("made", "")).split()) | {"result"}
            again = force or not set(made.split()) <= there
            item = replace(item, status=TO_DO if again else BEFORE, again=again)
        items.append(item)
    own = [Aside(file, OWN) for one in contents.series if one.own for file in one.files]
    return Plan(source, output, tuple(items), (*own, *contents.aside), contents.others, made)


def described(plan: Plan, *, every: bool = True) -> Iterator[str]:
    """The plan in lines: each series, then each object that was set aside. Unless `every`, objects
    of one folder with the same reason share a line."""
    before = len(plan.items) - len(plan.to_do)
    yield (
        f"{plan.source}: {len(plan.to_do)} series to reduce, {before} done before, "
        f"{counted(len(plan.aside), 'object')} set aside, {plan.others} not DICOM"
    )
    for item in plan.items:
        count = counted(len(item.series.files), "image")
        what = f"{item.series.name}  {count:>11}  {item.series.facts}"
        yield f"  {item.status:<11}  {what}  in {item.series.folder}"
    together: dict[tuple[str, str], list[str]] = {}
    for one in plan.aside:
        key = one.file if every else PurePosixPath(one.file).parent.as_posix()
        together.setdefault((key, one.reason), []).append(one.file)
    for (place, reason), files in together.items():
        named = files[0] if len(files) == 1 else f"{place}: {counted(len(files), 'object')}"
        yield f"  {ASIDE:<11}  {named}: {reason}"


def counted(count: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {what}{'s' * (count != 1)}"


def run_plan(plan: Plan, run: Run) -> Plan:
    """Reduce what is to be done, and keep the summary up to date; returns the plan with outcomes.

    Raises `InputError` where another run works on the same output, for a failed series nothing.
    """
    plan.output.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(plan.output):
        _sweep(plan.output)
        write_summary(_rows(plan), plan.output)
        to_do = plan.to_do
        for count, (item, outcome) in enumerate(run(to_do), 1):
            done = replace(item, status=FAILED if outcome.error else DONE, outcome=outcome)
            items = (done if one.series == item.series else one for one in plan.items)
            plan = replace(plan, items=tuple(items))
            write_summary(_rows(plan), plan.output)
            which = f"{count} of {len(to_do)}  {item.series.name}"
            if outcome.error:
                log.error("%s: failed: %s", which, outcome.error)
                continue
            changed = f"{outcome.changed} of {len(item.series.files)} slices changed"
            log.info("%s: %s, %.0f s", which, changed, outcome.seconds)
            for warning in outcome.warnings:
                log.warning("    %s", warning)
    return plan


def raise_if_failed(plan: Plan) -> None:
    """Raise `InputError` where a series failed, or an object is damaged that may be of one."""
    failed = [item.series.name for item in plan.items if item.status == FAILED]
    broken = [one.file for one in plan.aside if one.broken]
    parts = []
    if failed:
        parts.append(f"{len(failed)} of {len(plan.items)} series failed, first {failed[0]}")
    if broken:
        parts.append(f"damaged, perhaps of a series: {counted(len(broken), 'file')}, {broken[0]}")
    if parts:
        raise InputError(f"{'; '.join(parts)}: see {plan.output / SUMMARY}; all else is done")


def _rows(plan: Plan) -> Iterator[SummaryRow]:
    for item in plan.items:
        yield _row(item, plan.made)
    for one in sorted(plan.aside):
        yield {"status": ASIDE, "source": one.file, "reason": one.reason}


def _row(item: Item, made: str) -> SummaryRow:
    """The line of a series; what was done before keeps its numbers."""
    series, outcome = item.series, item.outcome
    # Of a series that is done again, what only an earlier run made stays there.
    kept = str(item.earlier.get("made", "")).split() if item.again else []
    row: SummaryRow = {
        "output": series.name,
        "status": item.status,
        "reason": outcome.error,
        "source": item.series.folder,
        "images": len(series.files),
        "facts": series.facts,
    }
    if item.status == BEFORE:
        return {"made": "result"} | item.earlier | row
    if item.status == DONE:
        row |= {
            "with_metal": outcome.with_metal,
            "changed": outcome.changed,
            "metal_ml": round(outcome.metal_ml, 3),
            "warnings": "; ".join(outcome.warnings),
            "seconds": round(outcome.seconds, 1),
            "made": " ".join(dict.fromkeys([*made.split(), *kept])),
        }
    return row


def _sweep(output: Path) -> None:
    """Delete what a killed run left half written."""
    for stage in output.glob(".unmetal-*"):
        if stage.is_dir():
            shutil.rmtree(stage, ignore_errors=True)
        else:
            stage.unlink(missing_ok=True)
