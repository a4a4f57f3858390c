"""`unmetal reduce`: a CT series in, the same series with the metal artifacts reduced out."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar
from unmetal.reduction.settings import Settings


@dataclass(frozen=True)
class Reduce:
    """Reduce the metal artifacts of a CT series, or of each series in a folder of many.

    The metal itself and every slice without metal stay as they were. The input is never changed.
    """

    input: tyro.conf.Positional[Path]
    """Folder or zip of DICOM, .dcm, .nii, .nii.gz, .mha, .mhd, .nrrd, .npy (HU) or 16-bit .png
    (HU + 32768)."""

    output: tyro.conf.Positional[Path]
    """Where to write it, in the input's format; of several series a folder with one for each."""

    settings: Annotated[Settings, tyro.conf.OmitArgPrefixes] = field(default_factory=Settings)
    """What comes out."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""

    report: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for a report on what was changed: a page to read and print, and its numbers."""

    identifiers: bool = False
    """Let the report say whose images these are."""

    dry_run: bool = False
    """Say what would be done with a folder, and stop."""

    jobs: int = 1
    """Series at a time, where the input holds several: a process each, with one thread and up to
    2.6 GiB at 512 x 512."""

    def run(self) -> None:
        """Read, reduce, write, report; raises `InputError`."""
        from unmetal.reduction.batch.plan import described  # noqa: PLC0415
        from unmetal.reduction.batch.reduce import Job  # noqa: PLC0415

        console_log()
        job = Job(self.settings, self.device, self.report, self.identifiers)
        plan = job.planned(self.input, self.output, always=self.dry_run)
        if plan is not None:
            print(*described(plan, every=self.dry_run), sep="\n")
        if self.dry_run:
            return
        if plan is not None:
            job.many(plan, self.jobs)
            return
        with progress_bar("slices") as progress:
            done = job.one(self.input, self.output, progress=progress)
        total, changed = len(done.reduced.metal), len(done.reduced.changed)
        log = logging.getLogger("unmetal")
        log.info("%s: %d of %d slices changed (%s)", self.output, changed, total, job.tool.name)
