"""The options of `unmetal prepare` that say what comes out; imports nothing slow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.cohorts.preparation.layouts import Kind
from unmetal.errors import InputError
from unmetal.units import METAL_HU


@dataclass(frozen=True)
class Limits:
    """Where affected slices begin and clean ones end; the defaults are the paper's for SpineWeb
    (section 4; `max_hu` and `connected_area` of its code)."""

    metal_hu: float = METAL_HU
    """HU above which a pixel is metal."""

    component_px: Annotated[int, tyro.conf.arg(name="component")] = 400
    """An affected slice has an 8-connected piece of metal of more pixels than this."""

    clean_hu: float = 2000.0
    """A clean slice has no pixel above this. The paper says less than 2,000; its code leaves out
    what is greater, so 2,000 itself is clean, and the code made the data."""

    def __post_init__(self) -> None:
        if not self.clean_hu <= self.metal_hu:
            raise InputError(
                f"clean below {self.clean_hu:g} HU and metal above {self.metal_hu:g} HU overlap: "
                "give --clean-hu at most --metal-hu"
            )
        if self.component_px < 0:
            raise InputError(f"a piece of metal of {self.component_px} pixels: give 0 or more")


@dataclass(frozen=True)
class Request:
    """Which slices become a cohort, and how they are split."""

    source: tyro.conf.Positional[Path]
    """The folder that holds the archive."""

    kind: Kind = "folder"
    """How the archive is laid out, and which of the paper's rules holds: see docs/prepare.md."""

    clean: Path | None = None
    """Another archive, any tree, for clean slices (cone-beam CT has none)."""

    listed: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """DeepLesion: take the slices that this file names, SERIES/SLICE.png a line; or DL_info.csv,
    for the key slices."""

    every: int | None = None
    """DeepLesion: take slices 1, 1 + N, 1 + 2N, ... (default 10, or 1 with a list)."""

    limits: Annotated[Limits, tyro.conf.OmitArgPrefixes] = field(default_factory=Limits)
    """What affected and clean slices are."""

    withhold: int = 200
    """Affected slices to withhold for tests, where there are that many (200: the paper)."""

    seed: int = 0
    """Of the split."""

    patients: Literal["header", "folder"] = "header"
    """What says who a patient is: the DICOM header, or the first folder below the archive."""

    spacing: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Pixel size in mm, for formats that state none (default 384 mm / matrix)."""

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
        """Slices from one that is taken to the next: of DeepLesion, by itself, 1, 11, 21, ...
        (`train_indices` of the released code)."""
        whole = self.kind != "deeplesion" or self.listed is not None
        return self.every or (1 if whole else 10)
