"""Draw the paper's Figures 3, 9, 10 and 11 with our methods: slices down, methods across.

What an evaluation kept of its cases (Fig. 3: supervised methods on a clinical scanner; Fig. 9: on
SYN; Fig. 10: ADN trained on CL1 and CL2), with all methods or only some:

    python recipes/clinical_figures.py evaluation EVALUATION OUT.png [--names input unet-syn]

Real metal, as `unmetal reduce` gives it back; BESIDE adds somebody else's result on the same slice,
with the metal put back. FILE is anything that `unmetal reduce` reads, FILE:N its slice N, from 0:

    python recipes/clinical_figures.py real OUT.png --methods li adn --slices FILE[:N]...
        [--beside BESIDE...] [--called "released ADN"] [--spacing MM] [--measured ROWS.csv]

Artifacts of one slice on another (Fig. 11); BESIDE as above, without the metal:

    python recipes/clinical_figures.py transfer OUT.png --methods adn --slices AFFECTED CLEAN...

All take --window WIDTH LEVEL in HU (default 400 40).
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from unmetal import files
from unmetal.display.look import Window
from unmetal.errors import InputError
from unmetal.evaluation.folder import PICTURES, ROWS
from unmetal.evaluation.gallery import gallery
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.results import without_nan
from unmetal.evaluation.tables.rows import INPUT, TRUTH, Case, Row, read_rows, write_rows
from unmetal.metrics.no_reference import choose_flat, no_reference_metrics
from unmetal.physics.derive import body_mask
from unmetal.reduction.metal_search import find_metal
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.scan import Volume
from unmetal.simulation.transfer import transfer_volume
from unmetal.weights.load import load_method


def main() -> None:
    given = arguments()
    window = Window(*given.window)
    figures = {"evaluation": evaluation, "real": real, "transfer": transfer}
    pictures, rows, names = figures[given.figure](given)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    gallery(pictures, rows, names, window).savefig(given.out)
    print(given.out)


def evaluation(given: argparse.Namespace) -> tuple[Pictures, list[Row], list[str]]:
    pictures = Pictures.load(given.evaluation / PICTURES)
    names = given.names or [name for name in pictures.hu if name != TRUTH]
    return pictures, read_rows(given.evaluation / ROWS), names


def real(given: argparse.Namespace) -> tuple[Pictures, list[Row], list[str]]:
    methods = {Path(name).name: load_method(name)[0] for name in given.methods}
    guide, _ = load_method("li")
    volumes = [one_slice(where, given.spacing) for where in given.slices]
    names = [Path(where).stem.rpartition("__")[2] for where in given.slices]
    pictures = Pictures(tuple(Case(name) for name in names))
    rows: list[Row] = []
    for place, (name, volume) in enumerate(zip(names, volumes, strict=True)):
        metal, pixel = find_metal(volume), volume.spacing[2]
        shown = {INPUT: volume.hu}
        for method, its in methods.items():
            shown[method] = reduce_volume(volume, its, metal=metal).volume.hu
        if given.beside:
            theirs = one_slice(given.beside[place], given.spacing).hu
            shown[given.called] = np.where(metal, volume.hu, theirs)
        body = body_mask(volume.hu[0], pixel)
        calm = reduce_volume(volume, guide, metal=metal).volume.hu[0]
        flat = choose_flat(calm, metal[0], body, pixel)
        for label, hu in shown.items():
            both = metal[0], find_metal(volume.with_hu(hu))[0]
            found = no_reference_metrics(volume.hu[0], hu[0], both, body, flat, pixel)
            case: Row = {"method": label, "group": name, "slice": name, "mask_px": int(metal.sum())}
            rows.append(case | without_nan(found))
        pictures.keep(Case(name), {k: torch.from_numpy(hu[0]) for k, hu in shown.items()})
    if given.measured:
        write_rows(rows, given.measured)
    return pictures, rows, list(pictures.hu)


def transfer(given: argparse.Namespace) -> tuple[Pictures, list[Row], list[str]]:
    if len(given.slices) % 2:
        raise InputError("give pairs of slices: with the artifact, and clean")
    pairs = list(zip(given.slices[::2], given.slices[1::2], strict=True))
    pictures = Pictures(tuple(Case(str(i + 1)) for i in range(len(pairs))))
    for i, pair in enumerate(pairs):
        affected, clean = (one_slice(where, given.spacing) for where in pair)
        # The clean slice is the input, too, whose metal is drawn red: it has none.
        shown = {"artifact of": affected.hu, "clean": clean.hu, INPUT: clean.hu}
        for name in given.methods:
            shown[Path(name).name] = transfer_volume(affected, clean, load_method(name)[0]).hu
        if given.beside:
            shown[given.called] = one_slice(given.beside[i], given.spacing).hu
        pictures.keep(Case(str(i + 1)), {k: torch.from_numpy(hu[0]) for k, hu in shown.items()})
    return pictures, [], [name for name in pictures.hu if name != INPUT]


def one_slice(where: str, spacing: float | None) -> Volume:
    """The only slice of a file, or the one that `FILE:N` names."""
    path, _, number = where.rpartition(":")
    file = Path(where) if Path(where).exists() or not number.isdigit() else Path(path)
    volume = files.read(file, spacing=spacing)
    some = slice(0, 1) if str(file) == where else slice(int(number), int(number) + 1)
    hu = volume.hu if volume.padding is None else np.where(volume.padding, -1000, volume.hu)
    if not len(hu[some]):
        raise InputError(f"{where}: there is no such slice; there are {len(hu)}, from 0")
    return Volume(hu[some].astype(np.float32), volume.spacing, path=volume.path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="figure", required=True)
    kept = kinds.add_parser("evaluation")
    kept.add_argument("evaluation", type=Path)
    kept.add_argument("out", type=Path)
    kept.add_argument("--names", nargs="+")
    for name in ("real", "transfer"):
        one = kinds.add_parser(name)
        one.add_argument("out", type=Path)
        one.add_argument("--methods", nargs="+", required=True)
        one.add_argument("--slices", nargs="+", required=True)
        one.add_argument("--beside", nargs="+")
        one.add_argument("--called", default="released ADN")
        one.add_argument("--spacing", type=float)
        if name == "real":
            one.add_argument("--measured", type=Path)
    for one in kinds.choices.values():
        one.add_argument("--window", nargs=2, type=float, default=(400, 40))
    return parser.parse_args()


if __name__ == "__main__":
    main()
