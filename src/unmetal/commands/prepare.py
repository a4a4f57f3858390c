"""`unmetal prepare`: a cohort to train on, from an archive, by the paper's rules."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar
from unmetal.units import METAL_HU


@dataclass(frozen=True)
class Prepare:
    """Make a cohort from an archive: affected and clean slices, split by patient.

    The archive is only read. What comes out has no names in it: patients, files and series are
    keyed hashes. Interrupted? The same command goes on.
    """

    source: tyro.conf.Positional[Path]
    """The folder that holds the archive."""

    output: tyro.conf.Positional[Path]
    """The folder to write: manifest.csv, contact_sheet.png, cohort.json and cohort/."""

    kind: Literal["deeplesion", "spineweb", "cbct", "folder"] = "folder"
    """How the archive is laid out, and which of the paper's rules holds: see docs/prepare.md."""

    clean: Path | None = None
    """Another archive, any tree, for clean slices (cone-beam CT has none)."""

    listed: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """DeepLesion: take the slices that this file names, SERIES/SLICE.png a line; or DL_info.csv,
    for the key slices."""

    every: int | None = None
    """DeepLesion: take slices 1, 1 + N, 1 + 2N, ... (default 10, or 1 with a list)."""

    metal_hu: float = METAL_HU
    """HU above which a pixel is metal."""

    component: int = 400
    """An affected slice has a connected piece of metal of more pixels than this."""

    clean_hu: float = 2000
    """A clean slice has no pixel above this."""

    withhold: int = 200
    """Affected slices to withhold for tests, where there are that many."""

    seed: int = 0
    """Of the split."""

    patients: Literal["header", "folder"] = "header"
    """What says who a patient is: the DICOM header, or the first folder below the archive."""

    spacing: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Pixel size in mm, for formats that state none (default 384 mm / matrix)."""

    key: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Keep here, for yourself, which file each name stands for. With the same key the same names
    come out."""

    jobs: int | None = None
    """Files at a time, a process each (default: the cores there are)."""

    force: bool = False
    """Replace a cohort that exists."""

    def run(self) -> None:
        """Prepare and say what came out; raises `InputError`."""
        from unmetal.cohorts.preparation.prepare import prepare  # noqa: PLC0415
        from unmetal.cohorts.preparation.request import Request  # noqa: PLC0415
        from unmetal.cohorts.preparation.selection import Limits  # noqa: PLC0415
        from unmetal.workers import cores  # noqa: PLC0415

        console_log()
        request = Request(
            source=self.source,
            kind=self.kind,
            clean=self.clean,
            listed=self.listed,
            every=self.every,
            limits=Limits(self.metal_hu, self.component, self.clean_hu),
            withhold=self.withhold,
            seed=self.seed,
            spacing=self.spacing,
            by_header=self.patients == "header",
        )
        with progress_bar("files") as progress:
            made = prepare(
                request,
                self.output,
                jobs=cores() if self.jobs is None else self.jobs,
                key_file=self.key,
                force=self.force,
                progress=progress,
            )
        for line in made.lines():
            logging.getLogger("unmetal").info("%s", line)
