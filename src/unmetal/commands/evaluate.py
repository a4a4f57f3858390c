"""`unmetal evaluate`: a table of methods on data with a known truth, or on real metal."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from unmetal.console import console_log, progress_bar


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

    against: str | None = None
    """The row that all others are compared with, case by case; the first METHOD otherwise."""

    coarser: int = 1
    """Average over blocks of this many pixels squared before scoring: for networks that learned at
    a part of the resolution."""

    slices: int | None = None
    """Only this many slices, evenly spaced; all otherwise."""

    costs: bool = False
    """Also measure time and memory of one slice, each method in a process of its own, on the CPU
    and on a GPU where there is one."""

    add: bool = False
    """Keep the rows in OUT, and evaluate only methods that have none or had other weights."""

    protocol: Literal["adn", "clinical", "cbct"] = "adn"
    """Who scans clean slices: the paper's scanner, or a machine whose settings and implants are
    drawn for each slice. These need an index.csv with spacing_mm."""

    draws: int = 1
    """How often each slice is scanned by a drawn machine."""

    clinical: bool = False
    """Also the measures that a clinician trusts: of pairs, and of the protocols clinical and
    cbct."""

    real: bool = False
    """DATA has real metal: anything that `unmetal reduce` reads, or the slices of kind real_metal
    of an index.csv."""

    metal: Literal["ti", "fe", "cu", "au", "cocr", "amalgam"] = "ti"
    """What the masks of the protocol adn are made of."""

    seed: int = 0
    """Of the photon noise, and of what is drawn."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute."""

    force: bool = False
    """Replace tables that are there."""

    def run(self) -> None:
        """Evaluate and write; raises `InputError`."""
        from unmetal.device import choose_device  # noqa: PLC0415
        from unmetal.evaluation.cases import load_cases, load_real  # noqa: PLC0415
        from unmetal.evaluation.conditions import Setting  # noqa: PLC0415
        from unmetal.evaluation.evaluated_methods import entrants  # noqa: PLC0415
        from unmetal.evaluation.folder import Evaluation  # noqa: PLC0415

        console_log()
        methods, device = entrants(self.methods), choose_device(self.device)
        how = (self.protocol, self.draws, self.clinical)
        setting = Setting(self.metal, self.seed, self.coarser, self.slices, *how)
        cases = (load_real if self.real else load_cases)(self.data)
        against = self.against or next(iter(methods))
        done = Evaluation.begin(self.out, cases, setting, add=self.add, force=self.force)
        done.check(against, methods)
        with progress_bar("slices") as progress:
            done.run(methods, device, progress)
        if self.costs:
            done.measure(methods, self.coarser)
        print(done.write(self.out, against))
