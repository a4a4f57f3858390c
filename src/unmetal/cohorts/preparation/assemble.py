"""Assembling a cohort from parts: copies out, patients split, slices in shards, the manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unmetal.cohorts.preparation.manifest import MANIFEST, Row, write_manifest
from unmetal.cohorts.preparation.parts import load_rows, load_slices
from unmetal.cohorts.preparation.selection import AFFECTED, CLEAN, LEFT_OUT
from unmetal.cohorts.prepared import ABOUT, FOLDER, Prepared, write_shards
from unmetal.cohorts.splits import TRAIN, VALIDATION, Counts, in_halves, split

COPY = "a copy of another image"

SHOWN = 12
"""Slices of each kind on the contact sheet."""


class Group(NamedTuple):
    """Slices of one kind for the contact sheet."""

    name: str
    total: int
    """How many there are of this kind."""
    slices: list[tuple[Row, np.ndarray]]
    """Some of them, int16 `[H W]` in HU."""


@dataclass(frozen=True)
class Assembled:
    """The manifest of a cohort, and where its slices lie in the parts."""

    parts: tuple[tuple[Path, range], ...]
    """A part, and which of the lines are its own."""
    rows: tuple[Row, ...]
    """Of the manifest."""
    patients: Mapping[str, str] = field(default_factory=dict)
    """Patient -> split."""

    @property
    def used(self) -> list[Row]:
        """The lines of slices in the cohort, in its order."""
        return [row for row in self.rows if row.index != ""]

    def counted(self) -> dict[str, dict[str, int]]:
        """Slices and patients of each split, and why slices and files were left out."""
        slices = Counter(f"{row.split}, {row.decision}" for row in self.used)
        patients = Counter(self.patients[one] for one in {row.patient for row in self.used})
        reasons = Counter(row.reason for row in self.rows if row.index == "")
        counts = {"slices": slices, "patients": patients, "not used": reasons}
        return {name: dict(sorted(found.items())) for name, found in counts.items()}

    def lines(self) -> Iterator[str]:
        """Counts and warnings, for the log."""
        for name, found in self.counted().items():
            listed = ", ".join(f"{count} x {what}" for what, count in found.items())
            yield f"{name + ':':<10} {listed or 'none'}"
        for decision in sorted({row.decision for row in self.used}):
            there = {row.split for row in self.used if row.decision == decision}
            for missing in sorted({TRAIN, VALIDATION} - there):
                yield f"no {decision} slices for {missing}: there are too few patients"


def assemble(parts: Sequence[Path], unread: Sequence[Row], seed: int, withhold: int) -> Assembled:
    """Join the lines of all parts and of unreadable files, mark copies and split by patient. Of
    copies, the first in this order is kept."""
    rows: list[Row] = []
    places = []
    for part in parts:
        found = load_rows(part)
        places.append((part, range(len(rows), len(rows) + len(found))))
        rows += found
    rows = list(mark_copies(rows))
    counts = count_decisions(rows)
    patients = split(counts, seed, withhold)
    trained = {one: counts[one] for one, where in patients.items() if where == TRAIN}
    rows = list(assign_splits(rows, patients, in_halves(trained)))
    return Assembled(tuple(places), (*rows, *unread), patients)


def mark_copies(rows: Sequence[Row]) -> Iterator[Row]:
    """Leave out all but the first of the images with one UID: archives hold many copies."""
    seen: set[str] = set()
    for row in rows:
        copied = row.image != "" and row.image in seen
        seen.add(row.image)
        yield replace(row, decision=LEFT_OUT, reason=COPY) if copied else row


def count_decisions(rows: Sequence[Row]) -> dict[str, Counts]:
    """The affected and clean slices of every patient, in the order in which they appear."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        if row.decision != LEFT_OUT:
            found.setdefault(row.patient, Counter())[row.decision] += 1
    return {patient: Counts(one[AFFECTED], one[CLEAN]) for patient, one in found.items()}


def assign_splits(
    rows: Sequence[Row], patients: Mapping[str, str], halves: Mapping[str, str]
) -> Iterator[Row]:
    """The lines with split and place in the cohort."""
    index = 0
    for row in rows:
        half = halves.get(row.patient, row.decision)
        if row.decision == LEFT_OUT:
            yield row
        elif half != row.decision:
            yield replace(row, reason=f"of this patient the {half} slices are used")
        else:
            yield replace(row, split=patients[row.patient], index=index)
            index += 1


def write_cohort(made: Assembled, about: Mapping[str, Any], folder: Path) -> list[Group]:
    """Write everything but the contact sheet; returns the slices that it shows."""
    (folder / FOLDER).mkdir()
    used = made.used
    borderline: list[tuple[Row, np.ndarray]] = []
    write_shards(_slices(made, borderline), len(used), folder / FOLDER)
    np.savez(
        folder / FOLDER / "slices.npz",
        patient=np.array([row.patient for row in used]),
        decision=np.array([row.decision for row in used]),
        split=np.array([row.split for row in used]),
        # mm, as resized.
        pixel=np.array([float(row.pixel_mm) * float(row.matrix) for row in used], np.float32)
        / about["size"],
    )
    write_manifest(made.rows, folder / MANIFEST)
    (folder / ABOUT).write_text(json.dumps({**about, **made.counted()}, indent=1) + "\n")
    cohort, groups = Prepared.load(folder), []
    for name in (AFFECTED, CLEAN):
        rows = [row for row in used if row.decision == name]
        shown = [(row, cohort.slice(int(row.index))) for row in evenly_spaced(rows)]
        groups.append(Group(name, len(rows), shown))
    nearly = Group(f"{LEFT_OUT}, though nearly used", len(borderline), evenly_spaced(borderline))
    return [*groups, nearly]


def evenly_spaced(found: Sequence[Any], most: int = SHOWN) -> list[Any]:
    """At most `most` of them, evenly spaced from the first to the last."""
    places = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
    return [found[place] for place in places]


def _slices(made: Assembled, borderline: list[tuple[Row, np.ndarray]]) -> Iterator[np.ndarray]:
    """The slices in the order of their index; what a rule left out goes to `borderline`."""
    for part, places in made.parts:
        for place, hu in sorted(load_slices(part).items()):
            row = made.rows[places[place]]
            if row.index != "":
                yield hu
            elif row.decision == LEFT_OUT and row.reason != COPY:
                borderline.append((row, hu))
