"""Print the ranges of reduction/trained_ranges.py and the bounds of reduction/cautions.py.

    python recipes/caution_ranges.py SOURCE COHORT.npz [METHOD...]

SOURCE is what recipes/syn_cohort.py read and COHORT.npz what it wrote. First come the slices of
the cohort as they were before it resized them; then the metal of simulated samples; then, for each
method, slices of the validation patients with drawn titanium, scanned at their own size, reduced as
`unmetal reduce` does: the change far from metal and the disagreement of mirrored slices.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from unmetal.cohorts.cohort import Cohort
from unmetal.cohorts.samples import Samples
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.primitives import choose_implants, draw_implants
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, simulate
from unmetal.reduction import cautions, trained_ranges
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.scan import Volume
from unmetal.training.presets import AUGMENTED
from unmetal.units import hu_to_mu, mu_to_hu
from unmetal.weights.load import load_method

SAMPLES = 1500


def main(source: Path, cohort: Path, methods: list[str]) -> None:
    with (source / "index.csv").open() as index:
        rows = [r for r in csv.DictReader(index) if r["split"] == "train" and r["kind"] == "clean"]
    rows = [r for r in rows if r["set"] != "qa_ct_ge_head"]  # as recipes/syn_cohort.py
    facts = [of_slice(source, row) for row in rows]
    for name in facts[0]:
        say(name, [fact[name] for fact in facts])
    say("metal", metal_shares(Cohort.load(cohort)))
    count = Counter(r["patient"] for r in rows)
    few = sorted(patient for patient, slices in count.items() if slices <= 3)
    held_out = set(few[:: max(1, len(few) // 9)])
    affected = [scan(source, r, n) for n, r in enumerate(rows) if r["patient"] in held_out]
    for name in methods:
        method, _ = load_method(name)
        found = [after(method, volume, metal) for volume, metal in affected]
        for fact in ("far", "flips"):
            say(f"{fact} {name}", [one[fact] for one in found if fact in one])


def say(name: str, values: list[float]) -> None:
    """A line of quantiles."""
    known = [value for value in values if value is not None]
    if known:
        shares = np.quantile(known, [0, 0.005, 0.05, 0.5, 0.95, 0.995, 1])
        print(f"{name:16} {len(known):5}  " + " ".join(f"{x:9.4g}" for x in shares), flush=True)


def read(source: Path, row: dict[str, str]) -> np.ndarray:
    """float32 `[H W]`, HU."""
    return np.asarray(Image.open(source / row["file"])).astype(np.float32) - 1024


def of_slice(source: Path, row: dict[str, str]) -> dict[str, float]:
    """What reduction/trained_ranges.py compares, of a slice as it came."""
    hu, pixel = read(source, row), float(row["spacing_mm"])
    body = body_mask(hu, pixel)
    return {
        "spacing": pixel,
        "thickness": float(row["thickness_mm"]),
        "fov": pixel * max(hu.shape),
        "size": trained_ranges.longer_side(body, pixel),
        "cut": trained_ranges.edge_share(body),
        "kernel": trained_ranges.noise_texture(hu, body),
    }


def metal_shares(cohort: Cohort) -> list[float]:
    """Share of the body that is metal, in samples as training draws them."""
    samples, shares = Samples(cohort, AUGMENTED, 0), []
    for index in range(SAMPLES):
        choice = samples.choose(index)
        metal = samples.shapes.place(choice.metal, *cohort.hu.shape[1:])[0].numpy()
        hu = cohort.hu[choice.affected.slice].astype(np.float32)
        body = body_mask(hu[:, ::-1] if choice.affected.flip else hu, 1.5)
        shares.append(float((metal & body).sum() / body.sum()))
    return shares


def scan(source: Path, row: dict[str, str], seed: int) -> tuple[Volume, np.ndarray]:
    """A slice with metal, as benchmarks/native_size.py makes it, and the metal."""
    hu, pixel = read(source, row), float(row["spacing_mm"])
    draw = torch.Generator().manual_seed(seed)
    body = torch.from_numpy(body_mask(hu, pixel))
    metal = draw_implants(choose_implants(body, pixel, draw), *hu.shape, pixel)
    clean = hu_to_mu(torch.from_numpy(hu))[None, None]
    protocol = Protocol(clinical(*hu.shape, pixel / 10))
    done = simulate(clean, metal[None, None], ("ti",), protocol, draw)
    image = mu_to_hu(done.scan.image[0]).numpy()
    return Volume(image, (5.0, pixel, pixel)), metal.numpy()[None]


def after(method, volume: Volume, metal: np.ndarray) -> dict[str, float]:
    """HU: the mean change far from metal, and the mean disagreement."""
    reduced = reduce_volume(volume, method, metal=metal, flips=True)
    bodies = np.stack([body_mask(hu, volume.spacing[2]) for hu in volume.hu])
    change = reduced.volume.hu - volume.hu
    facts = {"far": cautions.mean_abs_change_far(change, metal, bodies, volume.spacing[2])}
    if reduced.disagreement is not None:
        facts["flips"] = cautions.largest_mean(reduced.disagreement, bodies & ~metal)
    return facts


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
