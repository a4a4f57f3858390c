"""`unmetal evaluate`: a table of methods on data with a known truth, or on real metal."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.console import console_log, progress_bar
from unmetal.evaluation.conditions import EvalConfig


@dataclass(frozen=True)
class Evaluate:
    """A table of methods on test data, as csv, Markdown and LaTeX, and a figure.

    Beside every method stand the input and the ceiling: what a perfect sinogram would give.
    """

    methods: tyro.conf.Positional[tuple[str, ...]]
    """See `unmetal methods`; or run folders, or weights."""

    data: Path
    """Folder with deeplesion_test_256.npz and masks/cnnmar_test_10x512.npz: every slice with every
    mask, by the paper's protocol. Or FOLDER/index.csv: the same with the clean slices of split
    test that it lists, by patient. Or an .npz of pairs: ma_x4, clean_x4, mask, body, spacing,
    names. With --real, what has real metal in it and no truth."""

    out: Path
    """Folder for rows.csv, table.csv, table.md, table.tex, figure.png and how they were made."""

    config: Annotated[EvalConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=EvalConfig)
    """How slices become cases, and which count."""

    real: bool = False
    """DATA has real metal: anything that `unmetal reduce` reads, or the slices of kind real_metal
    of an index.csv."""

    against: str | None = None
    """The row that all others are compared with, case by case; the first METHOD otherwise."""

    costs: bool = False
    """Also measure time and memory of one slice, each method in a process of its own, on the CPU
    and on a GPU where there is one."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""

    add: bool = False
    """Keep the rows in OUT, and evaluate only methods that have none or had other weights."""

    force: bool = False
    """Replace tables that are there."""

    def run(self) -> None:
        """Evaluate and write; raises `InputError`."""
        from unmetal.device import choose_device  # noqa: PLC0415
        from unmetal.evaluation.cases import load_cases, load_real  # noqa: PLC0415
        from unmetal.evaluation.evaluated_methods import load_methods  # noqa: PLC0415
        from unmetal.evaluation.folder import Evaluation  # noqa: PLC0415

        console_log()
        methods, device = load_methods(self.methods), choose_device(self.device)
        cases = (load_real if self.real else load_cases)(self.data)
        reference = self.against or next(iter(methods))
        table = Evaluation.begin(self.out, cases, self.config, add=self.add, force=self.force)
        table.check_reference(reference, methods)
        with progress_bar("slices") as progress:
            table.run(methods, device, progress)
        if self.costs:
            table.measure_costs(methods)
        print(table.write(self.out, reference))
