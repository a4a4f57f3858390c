"""`unmetal simulate`: put metal and its artifacts into a clean slice."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar


@dataclass(frozen=True)
class Simulate:
    """Put metal and its artifacts into clean slices, with the physics of a scanner.

    adn and syndeeplesion are the published protocols: slices are brought to their matrix (256 and
    416), as the published data were made; --native keeps the slices' own and their pixel size.

    clinical (a hospital's scanner) and cbct (a flat panel) are machines in mm, always at native
    size. Drawn from the seed, once for a series: tube voltage, dose, scatter and how much of it is
    corrected, electronic noise, motion, kernel, and a flat panel's field of view. Implants are
    those of the metal, at true size, in place of tissue. The same seed repeats it all; what was
    drawn is printed and, in an .npz, under "settings" and "implants".

    An output that ends in .npz holds everything: image, truth, metal, sinogram, trace, and the
    image and sinogram of the same scan without the metal. The truth of a published protocol is the
    slice that was put in; of a machine it is the scan without metal and noise.
    """

    clean: tyro.conf.Positional[Path]
    """Slices without metal, in any format that `unmetal reduce` reads."""

    output: tyro.conf.Positional[Path]
    """Where to write the slices with artifacts: the input's format, .npy or .npz."""

    masks: Annotated[str | None, tyro.conf.arg(metavar="FILE[:INDEX]")] = None
    """Metal masks: an .npz holding `masks`, bool [n H W] (the first one unless FILE:INDEX says
    another), or an image. Implants are drawn inside the body when there are none."""

    protocol: Literal["adn", "syndeeplesion", "clinical", "cbct"] = "adn"
    """Geometry, spectrum, noise and reconstruction."""

    metal: Literal["ti", "fe", "steel", "cu", "au", "cocr", "amalgam"] = "ti"
    """What the metal is made of."""

    seed: int = 0
    """Of everything that is drawn: implants, a machine's settings, noise."""

    native: bool = False
    """Scan at the input's own matrix and pixel size instead of the protocol's."""

    spacing: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Pixel size in mm, for formats that state none (default 384 mm / matrix)."""

    force: bool = False
    """Replace an output that exists."""

    def run(self) -> None:
        """Read, simulate, write; raises `InputError`."""
        from unmetal import files  # noqa: PLC0415
        from unmetal.files.npz import load_masks  # noqa: PLC0415
        from unmetal.simulation.simulate_volume import setting_of, simulate_volume  # noqa: PLC0415
        from unmetal.simulation.simulated_files import check_simulated, write_simulated  # noqa: PLC0415

        console_log()
        log = logging.getLogger("unmetal")
        volume = files.read(self.clean, spacing=self.spacing)
        setting, pixel = setting_of(volume, self.protocol, native=self.native, seed=self.seed)
        height, width = setting.scanner.grid.height, setting.scanner.grid.width
        check_simulated(volume, self.output, (height, width), force=self.force)
        mask = None if self.masks is None else load_masks(self.masks)[0]
        with progress_bar("slices") as progress:
            arrays = simulate_volume(
                volume, mask, setting, pixel, self.metal, self.seed, progress=progress
            )
        how = f"protocol {self.protocol}, metal {self.metal}, seed {self.seed}"
        write_simulated(volume, arrays, self.output, how=how, force=self.force)
        log.info("%s, %s: %s", self.protocol, arrays["settings"], ", ".join(arrays["implants"]))
        log.info("%s: %d slices of %d x %d", self.output, len(volume.hu), height, width)
