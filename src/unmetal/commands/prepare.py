"""`unmetal prepare`: a cohort to train on, from an archive, by the paper's rules."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from unmetal.cohorts.preparation.request import Request
from unmetal.console import console_log, progress_bar


@dataclass(frozen=True, kw_only=True)
class Prepare(Request):
    """Make a cohort from an archive: affected and clean slices, split by patient.

    The archive is only read. What comes out has no names in it: patients, files and series are
    keyed hashes. Interrupted? The same command goes on.
    """

    output: tyro.conf.Positional[Path]
    """The folder to write: manifest.csv, contact_sheet.png, cohort.json and cohort/."""

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
        from unmetal.workers import cores  # noqa: PLC0415

        console_log()
        jobs = cores() if self.jobs is None else self.jobs
        with progress_bar("files") as progress:
            made = prepare(self, self.output, jobs, self.key, force=self.force, progress=progress)
        for line in made.lines():
            logging.getLogger("unmetal").info("%s", line)
