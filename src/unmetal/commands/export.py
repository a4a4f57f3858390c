"""`unmetal export`: a learned method as an ONNX file."""

import logging
from dataclasses import dataclass
from pathlib import Path

import tyro

from unmetal.console import console_log
from unmetal.errors import InputError


@dataclass(frozen=True)
class Export:
    """Write a learned method as ONNX: slices in 1/cm, float32 [1 1 H W], to the same.

    H and W may be any multiples of the network's stride. --method FILE.onnx of `unmetal reduce` and
    `unmetal evaluate` runs such a file by ONNX Runtime or OpenVINO.
    """

    method: tyro.conf.Positional[str]
    """See `unmetal methods`; or released weights, a weights file or a run folder."""

    output: tyro.conf.Positional[Path]
    """The file, .onnx."""

    force: bool = False
    """Replace a file that exists."""

    def run(self) -> None:
        """Load, export; raises `InputError`."""
        from unmetal.export.onnx_file import OPSET, export_onnx  # noqa: PLC0415
        from unmetal.weights.load import load_method  # noqa: PLC0415

        console_log()
        if self.output.suffix != ".onnx":
            raise InputError(f"{self.output}: name a file that ends in .onnx")
        method, card = load_method(self.method)
        export_onnx(method, card, self.output, force=self.force)
        size = self.output.stat().st_size / 2**20
        log = logging.getLogger("unmetal")
        log.info("%s: %s, %.1f MiB, opset %d", self.output, card["name"], size, OPSET)
