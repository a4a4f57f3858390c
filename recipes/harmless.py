"""What a method changes where nothing is to be changed: clean slices, and such with lookalikes.

usage: python recipes/harmless.py SOURCE [--method NAME] [--every N] [--pictures DIR]

SOURCE holds index.csv and clean_512/. The slices of its test patients and of the validation
patients of recipes/syn_cohort.py go through `reduce_volume` as they are, and once with each kind of
`physics.implants.lookalikes`. Prints one Markdown table, then the worst slices.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from syn_cohort import training_rows

import unmetal
from unmetal.methods.method import Method
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.lookalikes import KINDS, paint_lookalikes
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.scan import Volume

FAR_MM = 5.0
"""From what was taken for metal: beyond, at most 10 HU may change."""


@dataclass(frozen=True)
class Outcome:
    """What a method did to one slice."""

    name: str
    before: np.ndarray
    """HU `[H W]`."""
    after: np.ndarray
    far: float
    """HU: the largest change beyond 5 mm of metal, 0 where nothing changed."""


def clean_slices(source: Path, every: int) -> list[tuple[Path, float]]:
    """File and pixel size (mm) of every n-th clean slice of test and validation patients."""
    _, role = training_rows(source)
    with (source / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "clean"]
    some = [
        row for row in rows if row["split"] == "test" or role.get(row["patient"]) == "validation"
    ]
    return [(source / row["file"], float(row["spacing_mm"])) for row in some[::every]]


def tried(name: str, hu: np.ndarray, pixel: float, method: Method) -> Outcome:
    reduced = reduce_volume(Volume(hu[None], (pixel, pixel, pixel)), method)
    after, metal = reduced.volume.hu[0], reduced.metal[0]
    # Without metal everything is far from it.
    far = ndimage.distance_transform_edt(~metal) * pixel > FAR_MM if metal.any() else ~metal
    return Outcome(name, hu, after, float(np.abs(after - hu)[far].max(initial=0)))


def draw(outcome: Outcome, path: Path) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
    images = (outcome.before, outcome.after, outcome.after - outcome.before)
    for axis, image, span in zip(
        axes, images, ((-160, 240), (-160, 240), (-200, 200)), strict=True
    ):
        axis.imshow(image, cmap="gray", vmin=span[0], vmax=span[1])
        axis.set_axis_off()
    figure.suptitle(f"{outcome.name}: {outcome.far:.0f} HU beyond 5 mm")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--method", default="nmar")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    method = unmetal.load(args.method)
    slices = clean_slices(args.source, args.every)
    worst: list[Outcome] = []
    print(f"| {args.method} | slices | bit for bit (%) | > 10 HU beyond 5 mm | largest (HU) |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    for group, kind in enumerate(["clean", *KINDS]):
        same, far = [], []
        for number, (path, pixel) in enumerate(slices):
            hu = plt.imread(path) * 65535
            hu = np.round(hu).astype(np.float32) - 1024
            if kind != "clean":
                rng = np.random.default_rng([group, number])
                hu, _ = paint_lookalikes(hu, pixel, body_mask(hu, pixel), rng, [kind])
            outcome = tried(f"{kind}, {path.stem}", hu, pixel, method)
            same.append(np.array_equal(outcome.before, outcome.after))
            far.append(outcome.far)
            worst = sorted([*worst, outcome], key=lambda x: -x.far)[:10]
        share, many = 100 * np.mean(same), np.sum(np.array(far) > 10)
        print(f"| {kind} | {len(same)} | {share:.1f} | {many} | {max(far):.0f} |", flush=True)
    print("\nThe worst slices, by their largest change beyond 5 mm:\n")
    for place, outcome in enumerate(x for x in worst if x.far > 0):
        print(f"{place + 1}. {outcome.name}: {outcome.far:.0f} HU")
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            draw(outcome, args.pictures / f"{place + 1:02d}.png")


if __name__ == "__main__":
    main()
