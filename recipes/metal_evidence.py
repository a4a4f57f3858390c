"""Which dense objects of simulated pairs are corrected: metal by its artifact, and what is painted.

usage: python recipes/metal_evidence.py PAIRS [--names PATTERN]

PAIRS is a folder of recipes/prior_pairs.py. Every piece that exceeds the threshold for metal is a
row: metal, with the artifact that it has (mean absolute difference from the scan without it, 2 to
25 mm around it, of which photon noise is a part), or painted after the scan, without any artifact.
Prints one Markdown table each for judging by streaks alone and as `unmetal reduce` does.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from prior_frames import TRUE_SHARE
from rich.progress import track
from scipy import ndimage

from unmetal.cohorts.pairs import Pair
from unmetal.metrics.strata import distance_to
from unmetal.reduction.metal_objects import judge_metal
from unmetal.reduction.metal_search import find_bodies, find_metal, released_segmenter, segment
from unmetal.scan import Volume

AROUND_MM = (2.0, 25.0)
"""Where a piece's artifact is measured."""

STEPS_HU = (0, 20, 40, 80, 160, 320, 10_000)
"""Artifacts by size."""

SLICE_MM = 3.0
"""A pair is one slice; this thick, for volumes."""


@dataclass(frozen=True)
class Piece:
    """One piece above the threshold."""

    painted: bool
    artifact: float
    """HU."""
    alone: bool
    """There is no metal in the slice."""
    saturated: bool
    """On a scale that ends at 3071 HU."""
    by_streaks: bool
    """Corrected by its streaks alone."""
    as_used: bool
    """Corrected if the segmenter must confirm it, too."""


def pieces(pair: Pair) -> Iterator[Piece]:
    """Those of one pair; pieces that are both metal and painted are left out."""
    hu, pixel = pair.image.astype(np.float32), float(pair.pixel)
    volume = Volume(hu[None], (SLICE_MM, pixel, pixel))
    bodies = find_bodies(volume.hu, pixel)
    dense = find_metal(volume, bodies=bodies)
    if not dense.any():
        return
    cpu = torch.device("cpu")
    segmented = segment(released_segmenter(cpu), volume.hu, np.array([True]), cpu)
    judged = [
        judge_metal(volume.hu, dense, bodies, volume.spacing, confirmed=mask)[0][0]
        for mask in (dense, dense & segmented)
    ]
    labels, count = ndimage.label(dense[0], np.ones((3, 3)))
    true = pair.share > TRUE_SHARE
    difference = np.abs(pair.image.astype(float) - pair.free)
    for label in range(1, count + 1):
        piece = labels == label
        metal, painted = (piece & true).any(), (piece & pair.painted).any()
        if metal == painted:
            continue
        distance = distance_to(piece, pixel)
        around = (distance > AROUND_MM[0]) & (distance < AROUND_MM[1]) & bodies[0]
        artifact = difference[around & ~ndimage.binary_dilation(true, iterations=2)]
        yield Piece(
            painted=bool(painted),
            artifact=float(artifact.mean()) if artifact.size else 0.0,
            alone=not true.any(),
            saturated=bool(pair.image.max() <= 3071),
            by_streaks=bool((judged[0] & piece).any()),
            as_used=bool((judged[1] & piece).any()),
        )


def row(name: str, some: list[Piece]) -> str:
    counts = (sum(one.by_streaks for one in some), sum(one.as_used for one in some))
    return f"| {name} | {len(some)} | {counts[0]} | {counts[1]} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--names", default="*.npz")
    given = parser.parse_args()
    paths = sorted(given.pairs.glob(given.names))
    found = [one for path in track(paths) for one in pieces(Pair.load(path))]
    metal = [one for one in found if not one.painted]
    print(f"{len(paths)} pairs\n")
    print("| what | pieces | corrected by streaks alone | as used |\n| --- | ---: | ---: | ---: |")
    for alone, name in ((True, "no metal in the slice"), (False, "metal in the slice")):
        print(row(f"painted, {name}", [one for one in found if one.painted and one.alone == alone]))
    for low, high in pairwise(STEPS_HU):
        name = f"metal, artifact {low} to {high} HU" if high < 10_000 else f"metal, above {low} HU"
        print(row(name, [one for one in metal if low <= one.artifact < high]))
    for saturated, name in ((True, "scale to 3071 HU"), (False, "extended scale")):
        print(row(f"metal, {name}", [one for one in metal if one.saturated == saturated]))


if __name__ == "__main__":
    main()
