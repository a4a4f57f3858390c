"""`unmetal transfer`: put the artifact of one slice or volume onto another."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from unmetal.console import console_log


@dataclass(frozen=True)
class Transfer:
    """Give a clean series the metal artifact of another (Figure 11 of the ADN paper).

    The output is in the form of CLEAN. One affected slice serves for all clean ones; otherwise
    both have the same number of slices. Both must have the same matrix size.
    """

    artifact: tyro.conf.Positional[Path]
    """The series that has the artifact."""

    clean: tyro.conf.Positional[Path]
    """The series that gets it."""

    output: tyro.conf.Positional[Path]
    """Where to write it."""

    weights: str = "adn"
    """Released weights, a weights file or a run folder; `adn` is the default ones."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""

    force: bool = False
    """Replace an output that exists."""

    def run(self) -> None:
        """Read, transfer, write; raises `InputError`."""
        from unmetal import files  # noqa: PLC0415
        from unmetal.device import choose_device  # noqa: PLC0415
        from unmetal.simulation.simulated_files import simulated  # noqa: PLC0415
        from unmetal.simulation.transfer import transfer_volume  # noqa: PLC0415
        from unmetal.weights.load import load_method  # noqa: PLC0415

        console_log()
        method, card = load_method(self.weights)
        method = method.to(choose_device(self.device))
        affected, clean = files.read(self.artifact), files.read(self.clean)
        files.check_output(clean, self.output, force=self.force)
        result = transfer_volume(affected, clean, method)
        how = "that of another series, put in by ADN"
        done = simulated("ADN transfer", how, result.hu, weights=card["sha256"])
        files.write(result, self.output, force=self.force, derivation=done)
        logging.getLogger("unmetal").info("%s: %d slices", self.output, len(result.hu))
