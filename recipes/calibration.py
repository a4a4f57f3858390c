"""How far a method's expected error may be believed, as a table and a curve.

usage: python recipes/calibration.py DATA... [--method priornet] [--figure FILE]

DATA are folders of recipes/prior_pairs.py (FOLDER, or FOLDER/PATTERN) and .npz of pairs as
`unmetal evaluate` takes them. Each slice is reduced as `unmetal reduce` does it. Counted are pixels
of the body, more than 2 px from true metal, of slices that were changed; wrong is what differs from
the truth by more than 50 HU, both smoothed by a Gaussian of 2 mm, without which noise counts.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from prior_frames import TRUE_SHARE
from rich.progress import track

import unmetal
from unmetal.cohorts.pairs import Pair
from unmetal.evaluation.cases import Pairs, load_cases
from unmetal.metrics.harm import SMOOTHING_MM, counted_pixels
from unmetal.metrics.no_reference import masked_average
from unmetal.physics.derive import body_mask
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.scan import Volume

WRONG_HU = 50.0

EDGES_HU = (0, 5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 10_000)
"""Bins of the expected error."""

Slice = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]
"""HU with metal, truth, metal, body, each `[H W]`, and the pixel in mm."""


def slices(data: Path) -> list[Slice]:
    """Those of a `.npz` of pairs, or of the files of a folder."""
    if data.is_file():
        cases = load_cases(data)
        assert isinstance(cases, Pairs)
        fields = (cases.affected, cases.clean, cases.metal, cases.body, cases.spacing)
        return [(a, b, c, d, float(e)) for a, b, c, d, e in zip(*fields, strict=True)]
    folder, pattern = (data, "*.npz") if data.is_dir() else (data.parent, data.name)
    return [*_pairs(sorted(folder.glob(pattern)))]


def _pairs(paths: list[Path]) -> Iterator[Slice]:
    for path in paths:
        pair = Pair.load(path)
        truth, pixel = pair.truth.astype(np.float32), float(pair.pixel)
        body = body_mask(truth, pixel)
        yield pair.image.astype(np.float32), truth, pair.share > TRUE_SHARE, body, pixel


def errors(some: list[Slice], method: str) -> tuple[np.ndarray, np.ndarray]:
    """Expected and true error of every counted pixel, HU `[n]`."""
    reducer, expected, true = unmetal.load(method), [], []
    for hu, truth, metal, body, pixel in track(some):
        reduced = reduce_volume(Volume(hu[None], (pixel, pixel, pixel)), reducer)
        if reduced.expected_error is None:
            continue
        # Where nothing is expected nothing was changed: outside of the body that was found.
        counted = counted_pixels(body, metal) & (reduced.expected_error[0] > 0)
        difference = reduced.volume.hu[0].astype(np.float64) - truth
        true.append(np.abs(masked_average(difference, counted, SMOOTHING_MM / pixel))[counted])
        expected.append(reduced.expected_error[0][counted])
    return np.concatenate(expected), np.concatenate(true)


def wrong_by_bin(expected: np.ndarray, true: np.ndarray) -> list[tuple[float, float]]:
    """(share of all pixels, share of these that is wrong) of each bin, NaN where it is empty."""
    bins = np.digitize(expected, EDGES_HU[1:-1])
    result = []
    for index in range(len(EDGES_HU) - 1):
        its = true[bins == index]
        wrong = float((its > WRONG_HU).mean()) if its.size else float("nan")
        result.append((its.size / true.size, wrong))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--method", default="priornet")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    curves = {}
    for data in given.data:
        expected, true = errors(slices(data), given.method)
        curves[data.stem if data.is_file() else str(data.name)] = wrong_by_bin(expected, true)
    print("| expected error (HU) |" + "".join(f" {name}: pixels | wrong |" for name in curves))
    print("| --- |" + " ---: | ---: |" * len(curves))
    for index, low in enumerate(EDGES_HU[:-1]):
        high = EDGES_HU[index + 1]
        cells = (curve[index] for curve in curves.values())
        row = "".join(f" {100 * share:.1f} % | {100 * wrong:.0f} % |" for share, wrong in cells)
        print(f"| {low} to {high} |{row}" if high < 10_000 else f"| above {low} |{row}")
    if given.figure:
        draw(curves, given.figure)


def draw(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    middles = [(a + b) / 2 for a, b in pairwise(EDGES_HU[:-1])]
    for name, curve in curves.items():
        wrong = [100 * share for _, share in curve]
        axis.plot([*middles, 200], wrong, marker="o", label=name)
    axis.axhline(50, color="gray", lw=0.5)
    axis.axhline(5, color="gray", lw=0.5)
    axis.set(xlabel="expected error (HU; the last point: above 160)", ylabel="wrong by > 50 HU (%)")
    axis.set_ylim(0, 100)
    axis.legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
