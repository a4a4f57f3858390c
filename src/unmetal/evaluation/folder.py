"""What `unmetal evaluate` leaves in a folder, and how more is added to it.

rows.csv         a line for each method and case
table.csv        means and 95 % intervals
table.md         the table to read: means, differences, costs, means by the size of the metal
table.tex        the table to print
evaluation.json  what was evaluated how, and what every method costs
pictures.npz     what every method made of a few cases, HU
figure.png       these cases, side by side
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from unmetal.device import device_name
from unmetal.errors import InputError
from unmetal.evaluation.cases import Cases
from unmetal.evaluation.conditions import EvalConfig, caption, fingerprint
from unmetal.evaluation.cost import cost
from unmetal.evaluation.evaluate import evaluate
from unmetal.evaluation.evaluated_methods import EvaluatedMethod
from unmetal.evaluation.pictures import Pictures, choose_cases
from unmetal.evaluation.tables.latex import latex
from unmetal.evaluation.tables.markdown import page
from unmetal.evaluation.tables.means import write_summary
from unmetal.evaluation.tables.rows import (
    CEILING,
    INPUT,
    TRUE_MASK,
    Case,
    Row,
    read_rows,
    write_rows,
)
from unmetal.files.staging import replacing_all, restore
from unmetal.scan import Progress
from unmetal.software import provenance

log = logging.getLogger("unmetal")

ROWS, ABOUT, PICTURES, FIGURE = "rows.csv", "evaluation.json", "pictures.npz", "figure.png"
FILES = (ROWS, "table.csv", "table.md", "table.tex", ABOUT, PICTURES, FIGURE)

SAME = ("class", "parameters", "samples", "sha256")
"""Facts that tell whether a method is the one that was evaluated."""


@dataclass
class Evaluation:
    """Rows, and how they came about."""

    cases: Cases
    config: EvalConfig
    pictures: Pictures
    rows: list[Row] = field(default_factory=list)
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Facts by name, in the order of the table."""

    @classmethod
    def begin(
        cls, out: Path, cases: Cases, config: EvalConfig, *, add: bool, force: bool
    ) -> Evaluation:
        """A new one for `out`, or with `add` the one that lies there.

        Raises `InputError` where something would be replaced unasked, or would not fit together.
        """
        new = cls(cases, config, Pictures(choose_cases(cases, config)))
        if out.exists() and not out.is_dir():
            raise InputError(f"{out}: is a file; the tables need a folder")
        restore(out, FILES)
        there = [name for name in FILES if (out / name).exists()]
        if add and ABOUT in there:
            new._load(out)
        elif there and not force:
            raise InputError(f"{out}: holds {', '.join(there)}: another folder, --add or --force")
        return new

    @property
    def about(self) -> dict[str, Any]:
        """What all rows must have in common."""
        return {"cases": fingerprint(self.cases), "config": self.config.merge_key}

    def _load(self, out: Path) -> None:
        """Take up what lies in a folder; raises `InputError` if it is of something else."""
        try:
            held = json.loads((out / ABOUT).read_text(encoding="utf-8"))
            about, self.methods = held["about"], held["methods"]
            self.rows = read_rows(out / ROWS)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{out}: {ABOUT} or {ROWS} cannot be read: give --force") from error
        if about != self.about:
            raise InputError(f"{out}: holds rows of other cases or settings: {about}")
        if (out / PICTURES).exists():
            self.pictures = Pictures.load(out / PICTURES)

    def check_reference(self, reference: str, names: Iterable[str]) -> None:
        """Raise `InputError` where the row that others are compared with will not be there."""
        known = [*dict.fromkeys([INPUT, *names, *self.methods])]
        if reference not in known:
            raise InputError(f"--against {reference}: there is no such row; there are {known}")

    def run(
        self, methods: Mapping[str, EvaluatedMethod], device: torch.device, progress: Progress
    ) -> None:
        """Evaluate those of the methods that have no rows yet, or had other weights."""
        new = {name: one for name, one in methods.items() if not self.has_rows_of(name, one.facts)}
        if kept := [name for name in methods if name not in new]:
            log.info("already there: %s", ", ".join(kept))
        if new:
            rows = evaluate(
                {name: one.method for name, one in new.items()},
                self.cases,
                self.config,
                device=device,
                progress=progress,
                pictures=self.pictures,
            )
            on = {"evaluated on": device_name(device)}
            self.add(rows, {name: one.facts | on for name, one in new.items()})
        self.order(methods)

    def has_rows_of(self, name: str, facts: Mapping[str, Any]) -> bool:
        """Whether there are rows of a method with these weights."""
        known = self.methods.get(name, {})
        return all(known.get(key, "absent") == facts[key] for key in SAME)

    def add(self, rows: Iterable[Row], facts: Mapping[str, Mapping[str, Any]]) -> None:
        """Add the rows of methods, in place of all older ones; facts: by name of the method."""
        replaced = [f"{name}{suffix}" for name in facts for suffix in ("", TRUE_MASK)]
        kept = [row for row in self.rows if row["method"] not in replaced]
        by_case = {(str(row["method"]), Case.of(row)): row for row in (*kept, *rows)}
        self.rows = list(by_case.values())
        self.methods |= {name: dict(one) for name, one in facts.items()}

    def measure_costs(self, methods: Mapping[str, EvaluatedMethod]) -> None:
        """What one slice costs each of the methods, where that was not tried yet."""
        for name, one in methods.items():
            costs = self.methods[name].setdefault("cost", {})
            for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
                if device not in costs:
                    measured = cost(one.source, device, self.config.downsample)
                    costs[device] = measured._asdict() if measured else {}

    def order(self, names: Iterable[str]) -> None:
        """Put the named methods first, as they are named, between the input and the ceiling."""
        self.methods = {name: self.methods[name] for name in dict.fromkeys([*names, *self.methods])}
        place = {name: i for i, name in enumerate([INPUT, *self.methods, CEILING])}
        self.rows.sort(key=lambda row: place[str(row["method"]).removesuffix(TRUE_MASK)])

    def write(self, out: Path, reference: str) -> str:
        """Write the files, all or none, and return the Markdown; see `tables.markdown.page`."""
        shown = caption(self.cases, self.config, self.rows)
        text = page(shown, self.rows, self.methods, reference)
        held = {"caption": shown, "about": self.about, "methods": self.methods}
        texts = {
            "table.md": text,
            "table.tex": latex(self.rows, self.methods, reference),
            ABOUT: json.dumps(held | provenance(), indent=1) + "\n",
        }
        out.mkdir(parents=True, exist_ok=True)
        with replacing_all(out, FILES) as stage:
            write_rows(self.rows, stage / ROWS)
            write_summary(self.rows, stage / "table.csv")
            for name, content in texts.items():
                (stage / name).write_text(content, encoding="utf-8")
            if self.pictures.hu:
                self.pictures.save(stage / PICTURES)
                draw(self.pictures, self.rows, [INPUT, *self.methods], stage / FIGURE)
        return text


def draw(pictures: Pictures, rows: Sequence[Row], names: Sequence[str], path: Path) -> None:
    """The figure, where matplotlib is installed: a GPU machine may not have it."""
    try:
        from unmetal.evaluation.gallery import gallery  # noqa: PLC0415  (optional, slow)
    except ImportError:
        log.warning("%s: not drawn, there is no matplotlib; --add draws it elsewhere", path.name)
        return
    gallery(pictures, rows, names).savefig(path)
