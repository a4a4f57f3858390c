"""Pack the SYN cohort: python recipes/syn_cohort.py SOURCE OUTPUT.npz

SOURCE holds `index.csv` (columns file, kind, split, set, patient), 16-bit slices (HU = value -
1024) and shapes of metal in `masks/` and `implants_512/`. Of it only clean slices with
`split = train` are taken. Each slice is cut square around the body and resized to 256 x 256, as
bodies fill the frame in the data of the paper.
"""

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.morphology import convex_hull_image
from skimage.transform import resize

from unmetal.cohorts.cohort import Cohort
from unmetal.cohorts.splits import roles

SIZE = 256

CNNMAR_MM = 512 * 0.8
"""Frame of CNN-MAR's masks: its released code has 512 pixels of 0.8 mm."""

IMPLANTS_MM = 400.0
"""Frame of the XCIST slices. Close-ups of heads have 220.16 mm, but by anatomy there is none: the
first vertebra of cases 7 and 9 is 78 mm wide at 400 mm, as it should be, and 43 at 220.16."""

MOUTHS = {7, 9, 15, 17, 19}
"""XCIST cases that show teeth."""

DENTAL, ORTHOPAEDIC, PUBLISHED = "amalgam au", "ti steel cocr", "ti steel cocr"
"""What implants are made of; CNN-MAR's masks are hips, rods and screws for the most part."""
VALIDATION_PATIENTS = 9
"""Of those with at most three slices: diverse, and the training halves lose little."""

LEFT_OUT = {"qa_ct_ge_head"}
"""One head: in one half only, a discriminator would tell heads, not artifacts."""


def training_rows(source: Path) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Rows of index.csv that the cohort holds, and the role of each of its patients."""
    with (source / "index.csv").open() as index:
        rows = [r for r in csv.DictReader(index) if r["split"] == "train" and r["kind"] == "clean"]
    rows = [r for r in rows if r["set"] not in LEFT_OUT]
    count = Counter(r["patient"] for r in rows)
    few = sorted(patient for patient, slices in count.items() if slices <= 3)
    return rows, roles(count, few[:: max(1, len(few) // VALIDATION_PATIENTS)])


def main(source: Path, output: Path) -> None:
    rows, role = training_rows(source)
    cut = [around_body(read(source / r["file"])) for r in rows]
    shapes, whole, frame, made_of = metal(source)
    cohort = Cohort(
        hu=np.stack([hu for hu, _ in cut]),
        patient=np.array([r["patient"] for r in rows]),
        role=np.array([role[r["patient"]] for r in rows]),
        shapes=shapes,
        whole=whole,
        pixel=np.array(
            [float(r["spacing_mm"]) * factor for r, (_, factor) in zip(rows, cut, strict=True)],
            dtype=np.float32,
        ),
        frame=frame,
        made_of=made_of,
    )
    cohort.save(output)
    for role, slices in Counter(cohort.role.tolist()).items():
        patients = len(set(cohort.patient[cohort.role == role].tolist()))
        print(f"{role:10} {slices:4} slices of {patients} patients")
    print(f"metal      {int(whole.sum()):4} whole frames, {int((~whole).sum())} pieces")


def read(path: Path) -> np.ndarray:
    """float32 `[H W]`, HU."""
    return np.asarray(Image.open(path)).astype(np.float32) - 1024


def around_body(hu: np.ndarray) -> tuple[np.ndarray, float]:
    """A square about the body with a margin of 4 %, int16 `[256 256]`, HU, and how many of the
    slice's pixels one of its pixels is wide."""
    body = ndimage.binary_opening(hu > -400, iterations=4)
    labels, found = ndimage.label(body)
    if found:
        sizes = ndimage.sum_labels(body, labels, range(1, found + 1))
        body = labels == 1 + int(np.argmax(sizes))
    rows, columns = np.nonzero(body) if body.any() else np.nonzero(hu > -2000)
    middle = np.array([rows.min() + rows.max() + 1, columns.min() + columns.max() + 1]) / 2
    side = 1.04 * max(np.ptp(rows) + 1, np.ptp(columns) + 1)
    side = int(np.clip(side, 240, max(hu.shape)))
    top, left = np.clip(np.round(middle - side / 2), 0, np.array(hu.shape) - side).astype(int)
    cut = hu[top : top + side, left : left + side]
    small = resize(cut, (SIZE, SIZE), order=3, anti_aliasing=side > SIZE, preserve_range=True)
    return np.clip(np.round(small), -1000, 4095).astype(np.int16), side / SIZE


def metal(source: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """uint8 `[M 256 256]`, whether each is a whole frame, bool `[M]`, the side of that frame in mm
    (0 for pieces), float32 `[M]`, and what it is made of, str `[M]`."""
    published = np.load(source / "masks" / "cnnmar_train_11x416.npz")["masks"]
    held = np.load(source / "implants_512" / "xcist_odd_15x512.npz")
    implants = held["hu"] > 2500
    # Of each blob the file holds 11 to 27 points of its outline and nothing else.
    outlines = np.load(source / "masks" / "xcist_blobs_97x256.npz")["shapes"] > 0
    blobs = [convex_hull_image(outline) for outline in outlines]
    frames = [mask for mask in (*published, *implants) if mask.sum() >= 30]
    shares = [resize(m.astype(np.float32), (SIZE, SIZE), anti_aliasing=True) for m in frames]
    shares += [resize(b.astype(np.float32), (SIZE, SIZE), anti_aliasing=True) for b in blobs]
    whole = np.arange(len(shares)) < len(frames)
    sides = [CNNMAR_MM] * len(published) + [IMPLANTS_MM] * len(implants)
    metals = [PUBLISHED] * len(published)
    metals += [DENTAL if case in MOUTHS else ORTHOPAEDIC for case in held["case"].tolist()]
    kept = [mask.sum() >= 30 for mask in (*published, *implants)]
    frame = np.zeros(len(shares), np.float32)
    frame[whole] = np.array(sides)[kept]
    made_of = np.array([*np.array(metals)[kept], *[""] * len(blobs)])
    return np.round(255 * np.clip(np.stack(shares), 0, 1)).astype(np.uint8), whole, frame, made_of


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
