"""What to give back at native size: the network's image or its artifact, limited or not.

    python benchmarks/native_size.py METHOD SOURCE [SLICES]

METHOD is what `unmetal reduce --method` takes. SOURCE holds index.csv and 512 x 512 slices as
recipes/syn_cohort.py reads them; slices of its validation patients get titanium inside the body,
scanned as `clinical` at their own pixel size. Numbers are means over slices: inside the body,
outside metal, against the metal-free scan; then the offset in fat, muscle and lung where the
metal changed the slice by less than 10 HU.
"""

import csv
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from unmetal.engine.load import load_method
from unmetal.engine.native import reduce_native
from unmetal.methods import load
from unmetal.metrics.protocol import hu_protocol
from unmetal.physics.derive import body_mask, complete
from unmetal.physics.implants import choose_implants, draw_implants
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, simulate
from unmetal.units import hu_to_mu, mu_to_hu

WAYS = [
    (f"{way}{', restored' if restore else ''}", way, restore)
    for way in ("network", "artifact", "clear artifact")
    for restore in (False, True)
]
TISSUES = {"lung": (-900, -700), "fat": (-130, -60), "muscle": (20, 90)}


def scans(source, count):
    """Simulated slices of validation patients: (scan, pixel in mm, truth, body)."""
    with (source / "index.csv").open() as index:
        rows = [r for r in csv.DictReader(index) if r["split"] == "train" and r["kind"] == "clean"]
    slices = Counter(r["patient"] for r in rows)
    few = sorted(patient for patient, number in slices.items() if number <= 3)
    held_out = set(few[:: max(1, len(few) // 9)])  # as recipes/syn_cohort.py
    for number, row in enumerate([r for r in rows if r["patient"] in held_out][:count]):
        hu = np.asarray(Image.open(source / row["file"])).astype(np.float32) - 1024
        pixel = float(row["spacing_mm"])
        body = torch.from_numpy(body_mask(hu, pixel))
        draw = torch.Generator().manual_seed(number)
        metal = draw_implants(choose_implants(body, pixel, draw), *hu.shape, pixel)
        clean = hu_to_mu(torch.from_numpy(hu))[None, None]
        protocol = Protocol(clinical(*hu.shape, pixel / 10))
        done = simulate(clean, metal[None, None], ("ti",), protocol, draw)
        yield done.scan, pixel, mu_to_hu(done.free_image), body[None, None]


def offsets(output, image, truth, body):
    """HU by which each tissue is off where the metal did next to nothing."""
    calm = body & ((image - truth).abs() < 10)
    found = {}
    for tissue, (low, high) in TISSUES.items():
        some = calm & (truth > low) & (truth < high)
        found[tissue] = float((output - truth)[some].median()) if some.any() else float("nan")
    return found


def main():
    method, source = load_method(sys.argv[1]), Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    rows = {}
    for scan, pixel, truth, body in scans(source, count):
        image = mu_to_hu(scan.image)
        outputs = {"input": image}
        seconds = {"input": 0.0}
        with torch.inference_mode():
            outputs["li"] = mu_to_hu(load("li").reduce(complete(scan, ("trace",), pixel)))
            for name, way, restore in WAYS:
                begun = time.perf_counter()
                outputs[name] = mu_to_hu(reduce_native(method, scan, pixel, way, restore))
                seconds[name] = time.perf_counter() - begun
        for name, output in outputs.items():
            score = {k: v.item() for k, v in hu_protocol(output, truth, body, scan.metal).items()}
            score |= offsets(output, image, truth, body) | {"s": seconds.get(name, 0.0)}
            rows.setdefault(name, []).append(score)
    columns = list(next(iter(rows.values()))[0])
    print(f"{'':26}" + "".join(f"{column:>9}" for column in columns))
    for name, scores in rows.items():
        means = [np.nanmean([score[column] for score in scores]) for column in columns]
        print(f"{name:26}" + "".join(f"{mean:9.3f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
