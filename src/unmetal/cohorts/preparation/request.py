"""The options of a preparation, and the files to read for them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from unmetal.cohorts.preparation.layouts import Kind, find_images, pixel_sizes
from unmetal.cohorts.preparation.parts import Chunk, make_chunks
from unmetal.cohorts.preparation.reader import SIZE
from unmetal.cohorts.preparation.selection import (
    Limits,
    Rule,
    by_maximum,
    only_affected,
    only_clean,
    without_metal,
)
from unmetal.errors import InputError
from unmetal.software import software

RULES: dict[Kind, Rule] = {
    "deeplesion": without_metal,
    "spineweb": by_maximum,
    "cbct": only_affected,
    "folder": by_maximum,
}

STRIDE = 10
"""Of DeepLesion, slices 1, 11, 21, ... are taken. Source: `train_indices` of the released code."""


@dataclass(frozen=True)
class Request:
    """The options of `unmetal prepare`."""

    source: Path
    kind: Kind = "folder"
    clean: Path | None = None
    """A second archive, of which only clean slices are taken."""
    listed: Path | None = None
    """The slices of DeepLesion to take."""
    every: int | None = None
    """Of those, slices 1, 1 + every, ...; None is `STRIDE` without a list, else 1."""
    limits: Limits = field(default_factory=Limits)
    withhold: int = 200
    """Affected slices that are withheld for tests. Source: the paper, section 4."""
    seed: int = 0
    """Of the split."""
    spacing: float | None = None
    """mm, for formats that state no pixel size."""
    by_header: bool = True
    """Whether a DICOM header says who the patient is; else the folder."""

    def __post_init__(self) -> None:
        deeplesion = self.kind == "deeplesion"
        if not deeplesion and (self.listed is not None or self.every is not None):
            raise InputError("--list and --every are for --kind deeplesion: leave them away")
        if deeplesion and self.clean is not None:
            raise InputError("--clean is for affected slices, and DeepLesion gives clean ones")
        if self.every is not None and self.every < 1:
            raise InputError(f"--every {self.every}: give 1 or more")
        if self.withhold < 0:
            raise InputError(f"--withhold {self.withhold}: give 0 or more")

    @property
    def stride(self) -> int:
        """Slices from one that is taken to the next."""
        if self.kind != "deeplesion":
            return 1
        return self.every or (STRIDE if self.listed is None else 1)

    def about(self) -> dict[str, Any]:
        """How the cohort was made, for cohort.json; holds no names of the archive."""
        return {
            "made_by": software(),
            "kind": self.kind,
            "rule": RULES[self.kind].__name__,
            **asdict(self.limits),
            "clean_from": "another archive" if self.clean else "the same archive",
            "slices_chosen": "by a list" if self.listed else "all",
            "every": self.stride,
            "size": SIZE,
            "units": "HU, int16, not below -1000",
            "seed": self.seed,
            "withhold": self.withhold,
            "patients_by": "header, else folder" if self.by_header else "folder",
            "spacing_where_none_is_stated": self.spacing or "384 mm / matrix",
        }


@dataclass(frozen=True)
class Work:
    """The files to read, and those that cannot be read."""

    chunks: tuple[Chunk, ...]
    unread: tuple[tuple[str, str, str], ...]
    """Archive, file and reason."""
    others: int
    """Files that are no images by their names."""


def find_work(request: Request) -> Work:
    """Find all files; raises `InputError` where there is none."""
    found = find_images(request.source, request.kind, request.listed, request.stride)
    pixels = pixel_sizes(request.source) if request.kind == "deeplesion" else {}
    rule = RULES[request.kind]
    todo = [*make_chunks(request.source, found.files, request.kind, rule, pixels)]
    unread = [("source", one.file, one.reason) for one in found.unread]
    others = found.others
    if not found.files:
        raise InputError(
            f"{request.source}: nothing in it that --kind {request.kind} reads "
            f"({len(unread)} broken, {others} other files): give another folder, or --kind"
        )
    if request.clean is not None:
        more = find_images(request.clean, "folder")
        todo += make_chunks(request.clean, more.files, "folder", only_clean, {}, "clean")
        unread += [("clean", one.file, one.reason) for one in more.unread]
        others += more.others
    return Work(tuple(todo), tuple(unread), others)
