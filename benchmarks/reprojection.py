"""What was chosen for correcting an image without its sinogram, and what the alternatives cost.

Six simulated clinical scans of the pelvis of the examples, with drawn implants of titanium,
cobalt-chrome and iron in the place of tissue, stored up to 3071 HU. Numbers are the mean RMSE in HU
inside the body, away from metal, and on how many of the six it is above the choice.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from unmetal import files
from unmetal.methods import build
from unmetal.metrics.image_quality import hu_protocol
from unmetal.physics.completion import inpaint
from unmetal.physics.derive import body_mask, complete, dilate, metal_mask
from unmetal.physics.implants.primitives import choose_implants, draw_implants
from unmetal.physics.projection.geometry import Parallel
from unmetal.physics.scanner import CT, clinical, reprojection
from unmetal.physics.simulate import Protocol, simulate
from unmetal.reduction.correct_slices import DETAIL_HU, restore_detail
from unmetal.scan import Scan
from unmetal.units import hu_to_mu, mu_to_hu

PELVIS = Path(__file__).parents[1] / "examples" / "pelvis.nii.gz"
METALS = ("ti", "cocr", "fe") * 2

Detail = Literal["weighted", "all", "none"]


def scans() -> tuple[float, list[tuple[Tensor, Tensor, Tensor, Tensor]]]:
    """The pixel in mm, and of each scan: HU, HU without metal, body and metal `[1 1 H W]`."""
    volume = files.read(PELVIS, log_warnings=False)
    pixel = volume.spacing[2]
    clean = torch.from_numpy(volume.hu)[None]
    height, width = clean.shape[2:]
    body = torch.from_numpy(body_mask(volume.hu[0], pixel))
    setting = Protocol(clinical(height, width, pixel / 10), photons=1e6, tissue="replaced")
    found = []
    for seed, material in enumerate(METALS):
        draw = torch.Generator().manual_seed(seed)
        implants = draw_implants(choose_implants(body, pixel, draw), height, width, pixel)
        metal = (implants & body)[None, None]
        done = simulate(hu_to_mu(clean), metal, (material,), setting, draw)
        image = mu_to_hu(done.scan.image).clamp(-1024, 3071)
        found.append((image, mu_to_hu(done.free_image), body[None, None], metal))
    return pixel, found


def corrected(
    name: str, hu: Tensor, pixel: float, scanner: CT, *, detail: Detail = "weighted", wider: int = 0
) -> Tensor:
    """HU of a slice by a method, with its own metal mask; `detail` is what is given back."""
    metal = torch.from_numpy(metal_mask(hu[0, 0].numpy(), pixel))[None, None]
    method, image = build(name), hu_to_mu(hu)
    scan = complete(Scan(image, scanner, dilate(metal, wider)), method.inputs, pixel)
    result = method.reduce(scan)
    if detail == "all":
        result = result + image - scan.image
    if detail == "weighted":
        result = restore_detail(result, scan.image, image)
    return mu_to_hu(result)


def main() -> None:
    torch.set_num_threads(1)
    with torch.inference_mode():
        pixel, found = scans()
        height, width = found[0][0].shape[2:]
        chosen = reprojection(height, width, pixel / 10)
        beam = chosen.geometry
        assert isinstance(beam, Parallel)
        fewer = replace(chosen, geometry=replace(beam, views=4 * round(beam.views / 6)))

        def errors(name: str, scanner: CT = chosen, **options: Any) -> list[float]:
            return [
                hu_protocol(corrected(name, hu, pixel, scanner, **options), truth, body, metal)[
                    "rmse_hu"
                ].item()
                for hu, truth, body, metal in found
            ]

        before = [hu_protocol(hu, t, b, m)["rmse_hu"].item() for hu, t, b, m in found]
        print(f"| | LI | NMAR |\n|---|---:|---:|\n| input | {sum(before) / 6:.1f} | |")
        base = {name: errors(name) for name in ("li", "nmar")}
        row("the choice", base, base)
        for label, scanner, options in (
            ("two thirds of the views", fewer, {}),
            (f"no detail given back (choice: by {DETAIL_HU:g} HU)", chosen, {"detail": "none"}),
            ("all detail given back", chosen, {"detail": "all"}),
            ("metal one pixel wider", chosen, {"wider": 1}),
        ):
            row(label, {name: errors(name, scanner, **options) for name in base}, base)
        inpaint.BODY = 0.01
        row("rays that graze the skin kept", {name: errors(name) for name in base}, base)


def row(label: str, found: dict[str, list[float]], base: dict[str, list[float]]) -> None:
    cells = []
    for name, values in found.items():
        above = sum(v > b * 1.001 for v, b in zip(values, base[name], strict=True))
        cells.append(f"{sum(values) / len(values):.1f} ({above})")
    print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
