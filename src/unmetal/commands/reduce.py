"""`unmetal reduce`: a CT series in, the same series with the metal artifacts reduced out."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar
from unmetal.errors import InputError
from unmetal.reduction.settings import Settings


@dataclass(frozen=True)
class Reduce:
    """Reduce the metal artifacts of a CT series, or of each series in a folder of many.

    The metal itself and every slice without an artifact of metal stay as they were. The input is
    never changed.
    """

    input: tyro.conf.Positional[Path]
    """Folder or zip of DICOM, .dcm, .nii, .nii.gz, .mha, .mhd, .nrrd, .npy (HU) or 16-bit .png
    (HU + 32768)."""

    output: tyro.conf.Positional[Path]
    """Where to write it, in the input's format; of several series a folder with one for each."""

    settings: Annotated[Settings, tyro.conf.OmitArgPrefixes] = field(default_factory=Settings)
    """What comes out."""

    metal_mask: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """What is metal, in place of what the program finds: a DICOM segmentation or structure set of
    the series, a NIfTI, MetaImage or NRRD on its grid, or a .npy, .npz or .png of its shape. What
    --save-metal wrote can be edited and given back."""

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
    0.6 GiB at 512 x 512."""

    def run(self) -> None:
        """Read, reduce, write, report; raises `InputError`."""
        from unmetal.device import choose_device  # noqa: PLC0415
        from unmetal.reduction.batch.plan import described  # noqa: PLC0415
        from unmetal.reduction.batch.reduce import Job  # noqa: PLC0415
        from unmetal.reduction.reduce_series import load_tool, reduce_series  # noqa: PLC0415

        console_log()
        settings, report, force = self.settings, self.report, self.settings.force

        # A folder of several series: a plan, and each of them by itself.
        job = Job(settings, self.device, report, self.identifiers)
        plan = job.plan(self.input, self.output, always=self.dry_run)
        if plan is not None:
            if self.metal_mask is not None and len(plan.items) != 1:
                raise InputError(
                    f"{self.input}: holds {len(plan.items)} series, and --metal-mask is of one: "
                    "give the folder of that series"
                )
            print(*described(plan, every=self.dry_run), sep="\n")
            if not self.dry_run:
                job.carry_out(plan, self.jobs)
            return

        # One series, whatever its format.
        if report is not None:
            # Drawing takes a second to import.
            from unmetal.reduction.report.page import check_report  # noqa: PLC0415

            check_report(report, self.input, self.output, force=force)
        tool = load_tool(settings, choose_device(self.device))
        with progress_bar(f"slices of {self.input.name}") as progress:
            done = reduce_series(
                self.input, self.output, settings, tool, mask=self.metal_mask, progress=progress
            )
            if report is not None:
                from unmetal.reduction.report.page import write_report  # noqa: PLC0415

                write_report(done, report, identifiers=self.identifiers, force=force)
        total, changed = len(done.reduced.metal), len(done.reduced.changed)
        log = logging.getLogger("unmetal")
        log.info("%s: %d of %d slices changed (%s)", self.output, changed, total, tool.name)
