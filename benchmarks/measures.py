"""How each known fault moves each clinical measure, on a phantom and on real slices.

usage: python benchmarks/measures.py [INDEX.csv]

INDEX.csv lists 16-bit pictures beside it (HU + 1024); of its clean training slices the first of
each of four patients is taken, a disc of metal put beside its densest bone.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from faults import METAL_HU, faults
from PIL import Image

from unmetal.evaluation.tables.markdown import markdown_table
from unmetal.metrics.aapm import aapm
from unmetal.metrics.lesion import choose_lesion, contrast, detectability
from unmetal.metrics.no_reference import choose_flat, far_change, streak_amplitude
from unmetal.metrics.regions import choose_regions
from unmetal.metrics.strata import hu_bias
from unmetal.physics.derive import body_mask


def main(index: Path | None) -> None:
    slices = {"a phantom": phantom()}
    if index:
        slices |= {f"patient {i + 1}": one for i, one in enumerate(real(index))}
    moved = {name: table(*one) for name, one in slices.items()}
    for name in ("a phantom", "the real slices, mean"):
        some = [its for key, its in moved.items() if (key == "a phantom") == (name == "a phantom")]
        if some:
            print(f"{name}:\n")
            print(shown(some))


def table(hu: np.ndarray, metal: np.ndarray, pixel: float) -> dict[str, dict[str, float]]:
    """Fault -> measure -> number."""
    body = body_mask(hu, pixel)
    regions = choose_regions(hu, metal, body, pixel)
    truth = np.where(metal, METAL_HU, hu)
    flat = choose_flat(hu, metal, body, pixel)
    lesion = choose_lesion(hu, metal, body, pixel)
    assert lesion is not None
    wrong, ill = (faults(x, regions, np.random.default_rng(0)) for x in (hu, hu + lesion.profile))
    found = {}
    for name, one in wrong.items():
        bias = hu_bias(one, truth, metal, body, pixel)
        found[name] = aapm(one, truth, regions) | {
            "bias 0-5": bias["bias_0_5"],
            "flat_streak": streak_amplitude(one, flat, pixel),
            "far_change": far_change(truth, one, metal, body, pixel),
            "contrast": contrast(one, ill[name], lesion),
            "d'": detectability(one, ill[name], truth, lesion),
        }
    return found


def shown(some: list[dict[str, dict[str, float]]]) -> str:
    """The mean of some tables as Markdown."""
    names = list(some[0]["none"])
    lines = [
        [fault, *(f"{np.nanmean([one[fault][name] for one in some]):.3g}" for name in names)]
        for fault in some[0]
    ]
    return markdown_table(["fault", *names], lines)


def phantom(size: int = 256, pixel: float = 1.5) -> tuple[np.ndarray, np.ndarray, float]:
    """A body with fat, an organ, two bones and a piece of metal: HU, bool, mm."""

    def disc(row: float, column: float, tall: float, wide: float) -> np.ndarray:
        rows, columns = np.mgrid[:size, :size] / size
        return ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1

    hu = np.full((size, size), -1000, np.float32)
    hu[disc(0.5, 0.5, 0.32, 0.42)] = -100
    hu[disc(0.5, 0.5, 0.29, 0.39)] = 40
    hu[disc(0.42, 0.66, 0.08, 0.08)] = 90
    hu[disc(0.65, 0.5, 0.05, 0.06)] = 700
    hu[disc(0.45, 0.3, 0.04, 0.04)] = 400
    return hu, disc(0.52, 0.48, 0.02, 0.02), pixel


def real(index: Path) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Slices with a disc of metal: HU, bool, mm."""
    with index.open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if (r["split"], r["kind"]) == ("train", "clean")]
    first = {row["patient"]: row for row in reversed(rows)}
    found = []
    for row in list(first.values())[:4]:
        hu = np.asarray(Image.open(index.parent / row["file"])).astype(np.float32) - 1024
        pixel = float(row["spacing_mm"])
        inside = np.where(body_mask(hu, pixel), hu, -1000)
        place = np.unravel_index(inside.argmax(), hu.shape)
        rows_, columns = np.ogrid[: hu.shape[0], : hu.shape[1]]
        away = np.hypot(rows_ - place[0] - 12 / pixel, columns - place[1]) * pixel
        found.append((hu, away < 7, pixel))
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
