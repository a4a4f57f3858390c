"""`unmetal view`: series in the browser, before and after a reduction."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class View:
    """Look at CT series in the browser, reduce them, compare and measure.

    Prints the address, which holds a secret: whoever knows it sees the images. Nothing leaves this
    machine. Ctrl-C ends it and removes its temporary data. Research use only. See docs/viewer.md.
    """

    paths: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH")] = ()
    """Folders or zips of DICOM, .dcm, .nii, .nii.gz, .mha, .mhd, .nrrd, .npy, .png, or what
    `reduce` wrote; without any, drop a folder on the page."""

    port: int = 0
    """TCP port on 127.0.0.1; any free one otherwise."""

    no_browser: bool = False
    """Only print the address."""

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM; raises `InputError`."""
        from unmetal.viewer.serve import serve  # noqa: PLC0415

        serve(self.paths, self.port, browser=not self.no_browser)
