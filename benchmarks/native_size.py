"""What to give back at native size: the network's image, its artifact, or what the rays make of it.

    python benchmarks/native_size.py METHOD SOURCE [SLICES]

METHOD is what `unmetal reduce --method` takes. SOURCE holds index.csv and 512 x 512 slices as
recipes/syn_cohort.py reads them; slices of its validation patients get metal inside the body,
scanned as `clinical` at their own pixel size: titanium or steel as drawn, and cobalt-chrome 3 mm
thicker with a twentieth of the photons. Numbers are means over slices: inside the body, outside
metal, against the metal-free scan; then the offset in fat, muscle and lung where the metal changed
the slice by less than 10 HU.

`consistent` is what `unmetal reduce` does. `image, consistent` is its control: the slice itself in
place of the network's image. What the network adds is the difference of the two.
"""

import csv
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from unmetal.device import timed
from unmetal.metrics.image_quality import hu_protocol
from unmetal.physics.completion.images import li_image, nmar_image
from unmetal.physics.derive import body_mask, complete
from unmetal.physics.frames import crop_resize, frame_of, paste_back
from unmetal.physics.implants.primitives import choose_implants, draw_implants
from unmetal.physics.scanner import clinical, reprojection
from unmetal.physics.simulate import Protocol, simulate
from unmetal.reduction.correct_slices import restore_detail
from unmetal.reduction.metal_search import find_bodies
from unmetal.reduction.network_image import (
    CONSISTENCY_INPUTS,
    correct_tissue_offsets,
    enforce_data_consistency,
    network_image,
    wiener_gate,
)
from unmetal.scan import Scan
from unmetal.units import WINDOW, hu_to_mu, mu_to_hu
from unmetal.weights.load import load_method

WAYS = [
    (f"{way}{', restored' if restore else ''}", way, restore)
    for way in ("network", "artifact", "clear artifact")
    for restore in (False, True)
]
"""What is given back at native size: the network's own image there; its artifact at the size it was
trained at; that artifact only as far as it stands out of the network's usual error. `restore` takes
the network's offset in each tissue out."""

TISSUES = {"lung": (-900, -700), "fat": (-130, -60), "muscle": (20, 90)}


def scans(source, count, severe):
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
        draw = torch.Generator().manual_seed(number + 100)
        metal = draw_implants(choose_implants(body, pixel, draw), *hu.shape, pixel)
        material = ("ti", "fe")[number % 2]
        if severe:
            far = ndimage.distance_transform_edt(metal.numpy() < 0.5)
            metal, material = (torch.from_numpy(far <= 3 / pixel) & body).float(), "cocr"
        clean = hu_to_mu(torch.from_numpy(hu))[None, None]
        protocol = Protocol(clinical(*hu.shape, pixel / 10), photons=1e6 if severe else 2e7)
        done = simulate(clean, metal[None, None], (material,), protocol, draw)
        yield done.scan, pixel, mu_to_hu(done.free_image), body[None, None]


def offsets(output, image, truth, body):
    """HU by which each tissue is off where the metal did next to nothing."""
    calm = body & ((image - truth).abs() < 10)
    found = {}
    for tissue, (low, high) in TISSUES.items():
        some = calm & (truth > low) & (truth < high)
        found[tissue] = float((output - truth)[some].median()) if some.any() else float("nan")
    return found


def network_only(method, scan, pixel, way, restore):
    """The network's result, `[1 1 H W]` in 1/cm, given back in one of the `WAYS`."""
    image = scan.image
    if way == "network":
        result = method.reduce(scan)
        return correct_tissue_offsets(result, image) if restore else result
    frame = frame_of(body_of(scan, pixel)[0])
    small = crop_resize(image[0], frame, method.input_size)[None]
    result = method.reduce(Scan(small))
    result = correct_tissue_offsets(result, small) if restore else result
    artifact = small.clip(*WINDOW) - result
    if way == "clear artifact":
        artifact = wiener_gate(artifact, small)
    return image - paste_back(artifact[0], frame, image[0])[None]


def body_of(scan, pixel):
    """The patient, bool `[1 H W]`."""
    return find_bodies(mu_to_hu(scan.image[:, 0]).numpy(), pixel)


def outputs_of(method, scan, pixel):
    """HU by name, and the seconds that each took."""
    known = complete(scan_alone(scan, pixel), CONSISTENCY_INPUTS, pixel)

    def rays(image):
        return restore_detail(image, known.image, scan.image)

    def consistent(image):
        return rays(enforce_data_consistency(image, scan.image, known))

    makers = {
        "input": lambda: scan.image,
        "LI": lambda: rays(li_image(known)),
        "NMAR": lambda: rays(nmar_image(known)),
        "image, consistent": lambda: consistent(scan.image),
    }
    for name, way, restore in WAYS:
        makers[name] = partial(network_only, method, scan, pixel, way, restore)
    makers["consistent"] = lambda: consistent(
        network_image(method, scan.image, body_of(scan, pixel))
    )
    made = {name: timed(make, torch.device("cpu")) for name, make in makers.items()}
    return {name: (mu_to_hu(image), seconds) for name, (image, seconds) in made.items()}


def scan_alone(scan, pixel):
    """What `unmetal reduce` knows: the image, and where its metal is."""
    return Scan(scan.image, reprojection(*scan.image.shape[-2:], pixel / 10), scan.metal)


def main():
    method, source = load_method(sys.argv[1])[0], Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 16
    for severe in (False, True):
        rows = {}
        for scan, pixel, truth, body in scans(source, count, severe):
            image = mu_to_hu(scan.image)
            with torch.inference_mode():
                found = outputs_of(method, scan, pixel)
            for name, (output, seconds) in found.items():
                score = hu_protocol(output, truth, body, scan.metal)
                score = {k: v.item() for k, v in score.items()}
                score |= offsets(output, image, truth, body) | {"s": seconds}
                rows.setdefault(name, []).append(score)
        columns = list(next(iter(rows.values()))[0])
        print("cobalt-chrome, few photons" if severe else "titanium and steel")
        print(f"{'':26}" + "".join(f"{column:>9}" for column in columns))
        for name, scores in rows.items():
            means = [np.nanmean([score[column] for score in scores]) for column in columns]
            print(f"{name:26}" + "".join(f"{mean:9.3f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
