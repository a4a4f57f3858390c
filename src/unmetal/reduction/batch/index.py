"""The index page over the reports of an archive: a line for each series, the most urgent first."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unmetal.reduction.batch.plan import FAILED, TO_DO, Item, Plan, counted
from unmetal.reduction.report.numbers import NOTICE
from unmetal.reduction.report.page import NUMBERS, PAGE, template, write_texts

INDEX = "index.html"


@dataclass(frozen=True)
class Line:
    """One series. Why one failed is left to the summary: such a message can name files."""

    name: str
    status: str
    facts: str
    link: str
    """To its report; empty where there is none."""
    numbers: dict[str, Any] | None
    """Its report's."""

    @property
    def broken(self) -> bool:
        """Whether a check failed: something changed that must not."""
        return self.numbers is not None and not all(it["kept"] for it in self.numbers["checks"])

    @property
    def urgency(self) -> tuple[bool, bool, int, float]:
        """Failed and broken ones first, then by warnings, then by how much was changed."""
        if self.numbers is None:
            return self.status == FAILED, False, 0, 0.0
        changed = self.numbers["changes"]["all"]["visible"] or 0.0
        return self.status == FAILED, self.broken, len(self.numbers["warnings"]), changed


def write_index(plan: Plan, folder: Path) -> None:
    """Write `index.html` into the folder of the reports, replacing that of an earlier run.

    Raises `InputError` for a full disk.
    """
    lines = [_line(item, folder) for item in plan.items if item.status != TO_DO]
    lines.sort(key=lambda line: line.urgency, reverse=True)
    # What names a single object is cut off, so that objects share a reason.
    reasons = Counter(one.reason.partition(" of ")[0].partition(":")[0] for one in plan.aside)
    aside = [(reason, counted(count, "object")) for reason, count in reasons.items()]
    page = template(INDEX).render(notice=NOTICE, lines=lines, aside=aside)
    write_texts(folder, {INDEX: page}, force=True)


def _line(item: Item, folder: Path) -> Line:
    series = item.series
    place = folder / series.name
    there = item.status != FAILED and (place / PAGE).is_file() and (place / NUMBERS).is_file()
    return Line(
        name=series.name,
        status=item.status,
        facts=series.facts,
        link=f"{series.name}/{PAGE}" if there else "",
        numbers=json.loads((place / NUMBERS).read_text(encoding="utf-8")) if there else None,
    )
