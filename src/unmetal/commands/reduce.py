"""`unmetal reduce`: a CT series in, the same series with the metal artifacts reduced out."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar
from unmetal.engine.settings import Settings


@dataclass(frozen=True)
class Reduce:
    """Reduce the metal artifacts of a CT series.

    The metal itself and every slice without metal stay as they were. The input is never changed.
    """

    input: tyro.conf.Positional[Path]
    """Folder or zip of DICOM, .dcm, .nii, .nii.gz, .mha, .mhd, .nrrd, .npy (HU) or 16-bit .png
    (HU + 32768)."""

    output: tyro.conf.Positional[Path]
    """Where to write it, in the input's format."""

    settings: Annotated[Settings, tyro.conf.OmitArgPrefixes] = field(default_factory=Settings)
    """What comes out."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""

    def run(self) -> None:
        """Read, reduce, write; raises `InputError`."""
        from unmetal.engine.device import choose_device  # noqa: PLC0415
        from unmetal.engine.series import load_tool, reduce_series  # noqa: PLC0415

        console_log()
        tool = load_tool(self.settings, choose_device(self.device))
        with progress_bar("slices") as progress:
            done = reduce_series(self.input, self.output, self.settings, tool, progress=progress)
        total, changed = len(done.reduced.metal), len(done.reduced.changed)
        log = logging.getLogger("unmetal")
        log.info("%s: %d of %d slices changed (%s)", self.output, changed, total, tool.name)
