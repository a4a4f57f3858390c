"""`unmetal reduce`: a CT series in, the same series with the metal artifacts reduced out."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar


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

    method: str = "adn"
    """See `unmetal methods`; or the path of a run folder or of weights."""

    weights: Annotated[str | None, tyro.conf.arg(metavar="NAME|PATH")] = None
    """Weights of a learned method: see `unmetal weights`; its default ones otherwise."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""

    metal_hu: float = 2500.0
    """HU above which a pixel inside the body is metal."""

    spacing: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Pixel size in mm, for formats that state none (default 384 mm / matrix)."""

    force: bool = False
    """Replace an output that exists."""

    def run(self) -> None:
        """Read, reduce, write; raises `InputError`."""
        from unmetal import data  # noqa: PLC0415
        from unmetal.engine.device import choose_device  # noqa: PLC0415
        from unmetal.engine.load import load_method  # noqa: PLC0415
        from unmetal.engine.reduce import reduce_volume  # noqa: PLC0415

        console_log()
        log = logging.getLogger("unmetal")
        device = choose_device(self.device)
        method = load_method(self.method, self.weights).to(device)
        volume = data.read(self.input, spacing=self.spacing)
        data.check_output(volume, self.output, force=self.force)
        with progress_bar("slices") as progress:
            reduced = reduce_volume(
                volume, method, threshold=self.metal_hu, device=device, progress=progress
            )
        description = f"{self.method.upper()}, metal above {self.metal_hu:g} HU kept, image domain"
        data.write(
            reduced.volume,
            self.output,
            force=self.force,
            method=self.method.upper(),
            description=description,
        )
        total, changed = len(volume.hu), len(reduced.affected)
        log.info("%s: %d of %d slices changed (%s)", self.output, changed, total, self.method)
