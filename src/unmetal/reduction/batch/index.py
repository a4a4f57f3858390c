"""The index page over the reports of an archive: a row for each series, the most urgent first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmetal.reduction.batch.plan import FAILED, TO_DO, Item, Plan, counted
from unmetal.reduction.report.changes import VISIBLE_HU
from unmetal.reduction.report.format import hu, ml, percent
from unmetal.reduction.report.numbers import FORMAT, NOTICE
from unmetal.reduction.report.page import NUMBERS, PAGE, template, write_texts

INDEX = "index.html"

URGENCY = (
    "Failed, or not to be used",
    "Corrected, and a reader could misread something",
    "Corrected",
    "Left as they are",
)
"""Headings of the page, the most urgent first."""


@dataclass(frozen=True)
class Line:
    """One series. Why one failed is left to the summary: such a message can name files."""

    name: str
    """In words, without identifiers unless the reports may name them."""
    status: str
    facts: str
    link: str
    """To its report; empty where there is none."""
    numbers: dict[str, Any] | None
    """Its report's."""

    @property
    def broken(self) -> bool:
        """Whether a check failed: something changed that must not."""
        numbers = self.numbers
        return numbers is not None and any(it["state"] == "broken" for it in numbers["checks"])

    @property
    def changed(self) -> int:
        """Slices."""
        return 0 if self.numbers is None else int(self.numbers["series"]["changed"])

    @property
    def urgency(self) -> int:
        """Place in `URGENCY`."""
        if self.status == FAILED or self.broken:
            return 0
        return (1 if self.warned("misread") else 2) if self.changed else 3

    @property
    def order(self) -> tuple[int, float]:
        """What rows are sorted by, the first one being the least: urgency, then how much was
        changed."""
        if self.numbers is None:
            return self.urgency, 0.0
        warned = len(self.warned("misread")) if not self.changed else 0
        return self.urgency, -warned - (self.numbers["changes"]["all"]["visible"] or 0.0)

    def warned(self, level: str) -> list[str]:
        """Its warnings of a level."""
        warnings = () if self.numbers is None else self.numbers["warnings"]
        said = (one["message"] for one in warnings if one["level"] == level)
        return [message[:1].upper() + message[1:] for message in said]

    @property
    def outcome(self) -> str:
        """What became of it, in a sentence or two."""
        if self.status == FAILED:
            return "Failed: summary.csv says why."
        if self.broken:
            return "Something changed that must not: do not use this result."
        numbers = self.numbers
        if numbers is None:
            missing = "an earlier version wrote its report" if self.link else "it has no report"
            return f"{self.status.capitalize()}; {missing}."
        objects = numbers["objects"]
        if not self.changed:
            return _untouched(numbers, len(objects))
        corrected = sum(bool(one["corrected_slices"]) for one in objects)
        metal, visible = numbers["metal"]["before_ml"], numbers["changes"]["all"]["visible"]
        what = f"{counted(corrected, 'object')} of {len(objects)}, " if objects else ""
        return (
            f"{self.changed} of {counted(numbers['series']['slices'], 'slice')} corrected: {what}"
            f"{ml(metal)} of metal. {percent(visible)} of the body there changed by more than "
            f"{hu(VISIBLE_HU)}."
        )


def _untouched(numbers: dict[str, Any], objects: int) -> str:
    """Why nothing was changed."""
    if numbers["series"]["with_metal"]:
        return "The metal makes no artifact that had to be changed."
    if objects == 1:
        return "1 dense object, which makes no more streaks than contrast medium does."
    if objects:
        return f"{objects} dense objects; none makes more streaks than contrast medium does."
    return "No metal inside the body."


def write_index(plan: Plan, folder: Path) -> None:
    """Write `index.html` into the folder of the reports, replacing that of an earlier run.

    Raises `InputError` for a full disk.
    """
    items = [item for item in plan.items if item.status != TO_DO]
    lines = list(_lines(items, folder))
    lines.sort(key=lambda line: line.order)
    groups = [
        (heading, [line for line in lines if line.urgency == place])
        for place, heading in enumerate(URGENCY)
    ]
    # What names a single object is cut off, so that objects share a reason.
    reasons = Counter(one.reason.partition(" of ")[0].partition(":")[0] for one in plan.aside)
    aside = [(reason, counted(count, "object")) for reason, count in reasons.items()]
    shown = [group for group in groups if group[1]]
    page = template(INDEX).render(notice=NOTICE, groups=shown, count=len(lines), aside=aside)
    write_texts(folder, {INDEX: page}, force=True)


def _lines(items: list[Item], folder: Path) -> Iterator[Line]:
    """A line for each series; studies are counted in the order in which they come."""
    studies: dict[str, int] = {}
    for item in items:
        series = item.series
        study = studies.setdefault(series.name.partition("-")[0], len(studies) + 1)
        numbers = None if item.status == FAILED else _numbers(folder / series.name)
        there = item.status != FAILED and (folder / series.name / PAGE).is_file()
        yield Line(
            name=_name(study, series.name, numbers),
            status=item.status,
            facts=f"{counted(len(series.files), 'image')}, {series.facts}",
            link=f"{series.name}/{PAGE}" if there else "",
            numbers=numbers,
        )


def _numbers(place: Path) -> dict[str, Any] | None:
    """The numbers of a report; None where there are none, or an earlier version wrote them."""
    try:
        held: dict[str, Any] = json.loads((place / NUMBERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return held if held.get("format") == FORMAT else None


def _name(study: int, folder: str, numbers: dict[str, Any] | None) -> str:
    """`Study 1, series 302: chest`; whose it is, where the report says so."""
    known = {} if numbers is None else numbers
    whose = known.get("identifiers", {})
    part = str(known.get("series", {}).get("acquisition", {}).get("body_part", "")).lower()
    number = int(folder.split("-")[1]) if folder.count("-") >= 2 else 0
    where = f"Study {study}, series {number}" if number else f"Study {study}"
    said = whose.get("series") or part
    person = f"{whose['patient']}: " if whose.get("patient") else ""
    return f"{person}{where}{f', {said}' if said else ''}"
