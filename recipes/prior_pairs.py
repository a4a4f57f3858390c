"""Simulate the pairs that priornet learns from: one .npz each, see unmetal.cohorts.pairs.

    python recipes/prior_pairs.py SOURCE OUT --count 2500 --seed 11
    python recipes/prior_pairs.py SOURCE OUT --count 60 --seed 6 --role validation
    python recipes/prior_pairs.py SOURCE OUT --count 48 --seed 5 --role validation --domain flat

SOURCE is as in recipes/syn_cohort.py. Only clean slices with `split = train` are taken; those of
the patients in VALIDATION validate. Pairs that are in OUT already are left, so what was interrupted
goes on; several seeds can be drawn side by side.
"""

import argparse
import csv
import math
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from scipy import ndimage
from skimage.morphology import convex_hull_image

from unmetal.cohorts.broad_samples import draw_pair
from unmetal.cohorts.cohort import sampling_weights
from unmetal.errors import InputError
from unmetal.physics.implants.broad_kinds import log_uniform

SIZE = 384
"""Side of a pair in pixels: a slice of 512 at three quarters."""

VALIDATION = frozenset(
    {
        *("TCGA-17-Z011", "TCGA-17-Z028", "TCGA-17-Z039", "TCGA-17-Z051", "TCGA-17-Z059"),
        *("TCGA-34-8455", "TCGA-50-6591", "TCGA-51-4079", "TCGA-60-2715", "TCGA-60-2724"),
        *("TCGA-92-8064", "CMB-CRC-MSB-01068"),
    }
)
"""The validation patients of recipes/syn_cohort.py, and the one with a chest port: his real metal
can so be looked at."""

DOMAINS = ("broad", "flat")


def main(
    source: Path,
    out: Path,
    count: int,
    seed: int = 0,
    role: str = "train",
    domain: str = "broad",
    size: int = SIZE,
) -> None:
    rows = slices_of(source, role)
    weights = sampling_weights(np.array([row["patient"] for row in rows]), by_patient=True)
    blobs = blob_shapes(source) if domain == "flat" else None
    out.mkdir(parents=True, exist_ok=True)
    for number in track(range(count), f"{role}, {domain}"):
        path = out / f"{role}_{domain}_{seed}_{number:05d}.npz"
        if path.exists():
            continue
        # Everything random follows from the seed, the number and the domain: no state to resume.
        rng = np.random.default_rng([77, seed, number, DOMAINS.index(domain)])
        row = rows[rng.choice(len(rows), p=weights)]
        hu, pixel = augmented(read(source / row["file"]), float(row["spacing_mm"]), size, rng)
        about = {name: row[name] for name in ("patient", "file")} | {"role": role}
        draw_pair(hu, pixel, rng, domain, blobs, about | {"domain": domain}).save(path)


def slices_of(source: Path, role: str) -> list[dict[str, str]]:
    """The rows of index.csv of a role, `train` or `validation`: never a test patient."""
    with (source / "index.csv").open() as index:
        rows = [r for r in csv.DictReader(index) if r["split"] == "train" and r["kind"] == "clean"]
    rows = [row for row in rows if (row["patient"] in VALIDATION) == (role == "validation")]
    if not rows:
        raise InputError(f"{source}: no clean slices to {role} on in index.csv")
    return rows


def read(path: Path) -> np.ndarray:
    """float32 `[H W]`, HU, not below air."""
    return np.maximum(np.asarray(Image.open(path)).astype(np.float32) - 1024, -1000)


def augmented(
    hu: np.ndarray, pixel: float, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """The slice flipped or not, zoomed by 0.85 to 1.2, turned by up to 10 degrees, as
    `[size size]`, HU float32, and the mm of its pixels."""
    if rng.random() < 0.5:
        hu = hu[:, ::-1]
    zoom, angle = log_uniform(rng, 0.85, 1.2), math.radians(rng.uniform(-10, 10))
    step = len(hu) / size
    if step > 1:
        hu = ndimage.gaussian_filter(hu, 0.35 * step)
    cos, sin = math.cos(angle), math.sin(angle)
    # Places of the result to places of the slice, about the middles of both.
    matrix = step / zoom * np.array([[cos, -sin], [sin, cos]])
    offset = (len(hu) - 1) / 2 - matrix @ np.array([(size - 1) / 2] * 2)
    moved = ndimage.affine_transform(hu, matrix, offset, (size, size), order=1, cval=-1000)
    return moved.astype(np.float32), pixel * step / zoom


def blob_shapes(source: Path) -> np.ndarray:
    """bool `[M 256 256]`: of each blob the file holds points of its outline and nothing else."""
    outlines = np.load(source / "masks" / "xcist_blobs_97x256.npz")["shapes"] > 0
    return np.stack([convex_hull_image(outline) for outline in outlines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--role", choices=("train", "validation"), default="train")
    parser.add_argument("--domain", choices=DOMAINS, default="broad")
    parser.add_argument("--size", type=int, default=SIZE, help="side of a pair in pixels")
    # One thread: several seeds side by side are faster than threads that wait for each other.
    torch.set_num_threads(1)
    try:
        main(**vars(parser.parse_args()))
    except InputError as error:
        sys.exit(str(error))
