"""`unmetal evaluate`: a table of methods on data with a known truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from unmetal.console import console_log, progress_bar


@dataclass(frozen=True)
class Evaluate:
    """A table of methods on data with a known truth, as csv and Markdown.

    Beside every method stand the input and the ceiling: what a perfect sinogram would give.
    """

    methods: tyro.conf.Positional[tuple[str, ...]]
    """See `unmetal methods`; or run folders, or weights."""

    data: Path
    """Folder with deeplesion_test_256.npz and masks/cnnmar_test_10x512.npz: every slice with every
    mask, by the paper's protocol. Or an .npz of pairs: ma_x4, clean_x4, mask, body, spacing,
    names."""

    out: Path
    """Folder for rows.csv, table.csv and table.md."""

    metal: Literal["ti", "fe", "cu", "au", "cocr", "amalgam"] = "ti"
    """What the masks are made of."""

    seed: int = 0
    """Of the photon noise."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""

    force: bool = False
    """Replace tables that are there."""

    def run(self) -> None:
        """Evaluate and write; raises `InputError`."""
        from unmetal.data.cases import load_cases  # noqa: PLC0415
        from unmetal.engine.device import choose_device  # noqa: PLC0415
        from unmetal.engine.evaluate import caption, evaluate  # noqa: PLC0415
        from unmetal.engine.load import load_method  # noqa: PLC0415
        from unmetal.report.evaluation import check_folder, write_evaluation  # noqa: PLC0415

        console_log()
        chosen = {Path(name).name: load_method(name) for name in self.methods}
        device = choose_device(self.device)
        check_folder(self.out, force=self.force)
        cases = load_cases(self.data)
        with progress_bar("slices") as progress:
            rows = list(
                evaluate(
                    chosen,
                    cases,
                    metal=self.metal,
                    seed=self.seed,
                    device=device,
                    progress=progress,
                )
            )
        print(write_evaluation(rows, self.out, caption(cases, self.metal, self.seed)))
