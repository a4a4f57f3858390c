"""What `make demo` runs: a hospital's series, and a slice with implants whose truth is known.

The first case is real: a chest CT with an implanted port goes through `unmetal reduce` and comes
back as a derived DICOM series. In the second, our simulator scans a real pelvis with two hip
heads and without them, so that the error can be measured. Everything lands in `demo-out/`.
Research use only.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import torch
from matplotlib.figure import Figure

from unmetal import files
from unmetal.__main__ import main as unmetal
from unmetal.display.comparison import comparison
from unmetal.display.look import Edges, PanelStyle, box_around, edges_of, zoom_box
from unmetal.files.derivation import Derivation
from unmetal.metrics.image_quality import hu_protocol
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.primitives import Implant, draw_implants
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, Simulation, simulate
from unmetal.reduction.metal_search import find_metal
from unmetal.reduction.settings import Settings
from unmetal.scan import Volume
from unmetal.units import hu_to_mu, mu_to_hu

EXAMPLES = Path(__file__).resolve().parent
OUT = EXAMPLES.parent / "demo-out"

HEADS = {
    "cocr": Implant(row=293.5, column=158, length=28, width=28, angle=0, oval=True),
    "fe": Implant(row=304, column=329.5, length=28, width=28, angle=0, oval=True),
}
"""Material -> a hip's head of 28 mm in the middle of each femoral head of `pelvis.nii.gz`."""

PHOTONS = 1e6
"""Per ray: a scan at a patient's dose, where rays through both heads are starved."""

TWELVE_BITS = (-1024, 3071)
"""HU that most scanners store; metal saturates."""


NAMES = ("before", f"after {Settings.method.upper()}")


def main() -> None:
    """Both cases, and where their files are."""
    begun = time.monotonic()
    OUT.mkdir(exist_ok=True)
    chest_port()
    hips()
    print(f"\ndone in {time.monotonic() - begun:.0f} s; research use only")


def chest_port() -> None:
    """Real metal in real DICOM: a folder in, a derived series out."""
    print("1. A chest CT with an implanted port (TCIA CMB-CRC, CC BY 4.0)")
    reduced = reduce(EXAMPLES / "chest_port", OUT / "chest_port")
    before, after = (files.read(p, log_warnings=False) for p in (EXAMPLES / "chest_port", reduced))
    metal = find_metal(before)
    most = int(metal.sum((1, 2)).argmax())
    title = f"Chest port, slice {most + 1} of {len(metal)}: the one with the most metal"
    pixel = before.spacing[1:]
    body = body_mask(after.hu[most], pixel[1])
    edges = orientation(next((EXAMPLES / "chest_port").glob("*.dcm")))
    style = PanelStyle(box_around(body | metal[most]), pixel, edges=edges)
    figure = comparison(
        before.hu[most],
        after.hu[most],
        metal[most],
        style,
        title=title,
        names=NAMES,
        body=body,
        close_up=zoom_box(metal[most], style.box),
    )
    picture(figure, OUT / "chest_port.png")


def hips() -> None:
    """Two hip heads in a real pelvis: corrupted, reduced, and compared with the truth."""
    print("\n2. A pelvis (TCIA ACRIN-FLT-Breast, CC BY 3.0) with two simulated hip heads")
    pelvis = files.read(EXAMPLES / "pelvis.nii.gz")
    scanned = scan_with_heads(pelvis)
    with_metal = save(pelvis, scanned.scan.image, OUT / "hips_metal.nii.gz")
    truth = save(pelvis, scanned.free_image, OUT / "hips_truth.nii.gz")
    after = files.read(reduce(with_metal, OUT / "hips_reduced.nii.gz"))
    before, free = files.read(with_metal), files.read(truth)
    metal = scanned.scan.metal
    assert metal is not None
    errors = [rmse(image, free, metal) for image in (before, after)]
    print(
        f"  RMSE in the body, metal left out: {errors[0]:.0f} HU before, {errors[1]:.0f} HU after"
    )
    title = f"Two hip heads, simulated: RMSE {errors[0]:.0f} HU before, {errors[1]:.0f} HU after"
    body = body_mask(free.hu[0], free.spacing[2])
    figure = comparison(
        before.hu[0],
        after.hu[0],
        metal[0, 0].numpy(),
        PanelStyle(box_around(body), pelvis.spacing[1:]),
        title=title,
        names=NAMES,
        body=body,
        truth=free.hu[0],
    )
    picture(figure, OUT / "hips.png")


def reduce(source: Path, target: Path) -> Path:
    """What a user types: `unmetal reduce SOURCE TARGET --force`."""
    print(f"  $ unmetal reduce {shown(source)} {shown(target)} --force", flush=True)
    if unmetal(["reduce", str(source), str(target), "--force"]):
        raise SystemExit(1)
    return target


def scan_with_heads(pelvis: Volume) -> Simulation:
    """The slice in a clinical scanner, soft-tissue kernel, metal in the place of bone."""
    height, width = pelvis.hu.shape[1:]
    pixel = pelvis.spacing[1]
    scanner = replace(clinical(height, width, pixel / 10), kernel="hann")
    metal = [draw_implants([head], height, width, pixel) for head in HEADS.values()]
    clean = hu_to_mu(torch.from_numpy(pelvis.hu))[:, None]
    protocol = Protocol(scanner, photons=PHOTONS, tissue="replaced")
    generator = torch.Generator().manual_seed(0)
    return simulate(clean, torch.stack(metal)[None], tuple(HEADS), protocol, generator)


def save(like: Volume, mu: torch.Tensor, path: Path) -> Path:
    """Slices `[B 1 H W]` in 1/cm as a scanner stores them, in the geometry of `like`."""
    hu = np.clip(mu_to_hu(mu)[:, 0].numpy(), *TWELVE_BITS)
    simulated = Derivation("SIMULATED", "Two hip heads, simulated", kind="SIMULATED")
    files.write(like.with_hu(hu), path, force=True, derivation=simulated)
    print(f"  {shown(path)}")
    return path


def rmse(image: Volume, truth: Volume, metal: torch.Tensor) -> float:
    """HU, in the body and more than 2 px from `metal`, bool `[B 1 H W]`."""
    body = np.stack([body_mask(slice_, truth.spacing[2]) for slice_ in truth.hu])
    output, wanted, inside = (torch.from_numpy(x)[:, None] for x in (image.hu, truth.hu, body))
    return float(hu_protocol(output, wanted, inside, metal)["rmse_hu"].mean())


def orientation(path: Path) -> Edges:
    """Which way the slices of a DICOM series lie."""
    return edges_of(pydicom.dcmread(path, stop_before_pixels=True).ImageOrientationPatient)


def picture(figure: Figure, path: Path) -> None:
    """Write a figure and say where."""
    figure.savefig(path)
    print(f"  {shown(path)}")


def shown(path: Path) -> str:
    """The path from the project's root, as a user would type it."""
    return str(path.relative_to(EXAMPLES.parent))


if __name__ == "__main__":
    main()
