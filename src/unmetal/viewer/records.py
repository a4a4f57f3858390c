"""What the viewer holds: series, jobs, results, and what of them the page is told.

Voxels are not here: they lie in files of the temporary folder, mapped where they are needed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Affine = tuple[tuple[float, ...], ...]
"""4 x 4, from (column, row, slice) to mm in RAS+, as NIfTI has it."""

DERIVATION = "derivation.pickle"
"""In the folder of a result: what was done, for headers."""

Status = Literal["waiting", "running", "done", "failed", "cancelled"]


def new_id() -> str:
    """A random name, which tells nothing about what it names."""
    return secrets.token_urlsafe(9)


@dataclass(frozen=True)
class Source:
    """Where a series is read from, as `files.read` takes it."""

    path: Path
    only: tuple[str, ...] | None = None
    """Of a folder of DICOM, these files."""


@dataclass(frozen=True)
class Grid:
    """The voxels of a series, and where they lie."""

    shape: tuple[int, int, int]
    """Slices, rows, columns."""
    spacing: tuple[float, float, float]
    """mm between slices, rows and columns."""
    affine: Affine
    spacing_known: bool = True
    oriented: bool = True
    """Whether the source says where the patient's sides are."""

    def matrix(self) -> np.ndarray:
        """The affine as float `[4 4]`."""
        return np.array(self.affine)


@dataclass(frozen=True)
class OpenSeries:
    """A series that is open."""

    id: str
    source: Source
    grid: Grid
    values: Path
    """HU as .npy `[slices H W]`, int16 or float32, filled slice by slice while it is read."""
    format: str
    """Module of `unmetal.files` that reads it."""
    suffix: str
    """Of its format: `.nii.gz`; empty for DICOM."""
    description: str = ""
    window: tuple[float, float] | None = None
    """Width and level that the header asks for, HU."""
    warnings: tuple[str, ...] = ()
    made_by_unmetal: bool = False
    error: str = ""
    """Why it could not be read to its end."""
    used: float = 0.0
    """When it was last asked for, seconds of the monotonic clock."""

    def public(self, *, ready: bool) -> dict[str, Any]:
        """SERIES of the page; `ready` says that all slices are read."""
        slices, rows, columns = self.grid.shape
        kind = "CT" if self.format == "dicom" else self.format.upper()
        window = (
            None if self.window is None else dict(zip(("width", "level"), self.window, strict=True))
        )
        return {
            "id": self.id,
            "title": f"{kind} {columns} × {rows} × {slices}",
            "description": self.description,
            "shape": self.grid.shape,
            "spacing": self.grid.spacing,
            "spacing_known": self.grid.spacing_known,
            "oriented": self.grid.oriented,
            "window": window,
            "metal_slices": None,
            "warnings": self.warnings,
            "made_by_unmetal": self.made_by_unmetal,
            "ready": ready,
            "error": self.error or None,
        }


@dataclass(frozen=True)
class Job:
    """A reduction that was asked for."""

    id: str
    series: str
    method: str
    metal: str | None = None
    """Of a mask that was drawn."""
    status: Status = "waiting"
    done: int = 0
    total: int | None = None
    begun: float | None = None
    """Monotonic seconds."""
    seconds: float = 0.0
    error: str = ""
    result: str | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in {"done", "failed", "cancelled"}

    def public(self, now: float) -> dict[str, Any]:
        """JOB of the page; `now` in monotonic seconds."""
        running = self.status == "running" and self.begun is not None
        return {
            "id": self.id,
            "series": self.series,
            "method": self.method,
            "status": self.status,
            "done": self.done,
            "total": self.total,
            "seconds": round(now - self.begun, 1) if running and self.begun else self.seconds,
            "error": self.error or None,
            "result": self.result,
        }


@dataclass(frozen=True)
class Result:
    """What a reduction made; its arrays lie in `folder`."""

    id: str
    series: str
    method: str
    title: str
    folder: Path
    exports: tuple[str, ...]
    changed: tuple[int, ...] = ()
    metal: tuple[int, ...] = ()
    has_error: bool = False
    warnings: tuple[dict[str, str], ...] = ()
    objects: tuple[dict[str, Any], ...] = ()
    whole_difference: bool = False
    """Whether corrected - original fits int16."""
    seconds: float = 0.0

    def array(self, name: str) -> Path:
        """The file of `corrected`, `marks` or `error`."""
        return self.folder / f"{name}.npy"

    def public(self) -> dict[str, Any]:
        """RESULT of the page."""
        return {
            "id": self.id,
            "series": self.series,
            "method": self.method,
            "title": self.title,
            "changed": self.changed,
            "metal": self.metal,
            "has_error": self.has_error,
            "warnings": self.warnings,
            "objects": self.objects,
            "seconds": self.seconds,
            "exports": self.exports,
        }


@dataclass
class Filling:
    """Which slices of a series have been read so far."""

    total: int
    slices: set[int] = field(default_factory=set)
    failed: bool = False

    @property
    def ready(self) -> bool:
        """Whether all of them are."""
        return len(self.slices) == self.total


@dataclass(frozen=True)
class Announced:
    """A series whose headers are read."""

    series: OpenSeries


@dataclass(frozen=True)
class SliceRead:
    """A slice whose values are in the file."""

    series: str
    index: int


@dataclass(frozen=True)
class Broken:
    """A series that was announced and cannot be read to its end."""

    series: str
    reason: str


@dataclass(frozen=True)
class LeftOut:
    """What is no CT series, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class Listed:
    """Everything at a path was announced."""


Message = Announced | SliceRead | Broken | LeftOut | Listed
"""What the process that reads reports."""
