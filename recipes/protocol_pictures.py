"""One slice by every protocol and metal: python recipes/protocol_pictures.py SLICE.png OUTPUT.webp

SLICE is a 16-bit slice of the hips (HU = value - 1024, 512 x 512 of 0.9766 mm; the one in docs/ is
acrin_flt_001__1-198.png). It gets a stem in each thigh bone, 14 mm wide.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from unmetal.physics.implants.kinds import Anatomy
from unmetal.physics.implants.primitives import Implant, implant_share
from unmetal.physics.machines import MACHINES
from unmetal.physics.protocol import PROTOCOLS, Protocol
from unmetal.physics.simulate import simulate
from unmetal.units import hu_to_mu, mu_to_hu

PIXEL = 0.9766
METALS = ("ti", "steel", "cocr", "amalgam", "au")
WINDOW = (-350, 450)
SIDE = 512
"""Pixels; the published protocol works on 256."""


def protocols() -> dict[str, Protocol]:
    """The rows of the picture."""
    machine = MACHINES["clinical"]
    plain = {"kvp": (120,), "moving": 0.0}
    rows = {"adn": PROTOCOLS["adn"]}
    for name, photons, kernel in (("clinical", 1e6, "hann"), ("clinical, 1/30 dose", 3e4, "hann")):
        one = replace(machine, photons=(photons, photons), kernels=(kernel,), **plain)
        rows[name] = one.draw(np.random.default_rng(1), (SIDE, SIDE), PIXEL)
    panel = replace(MACHINES["cbct"], field=(0.65, 0.65), **plain)
    rows["cbct"] = panel.draw(np.random.default_rng(2), (SIDE, SIDE), PIXEL)
    return rows


def stems(hu: np.ndarray) -> Tensor:
    """Share of metal `[1 1 H W]`: a stem in the thickest bone of either side."""
    thick = ndimage.gaussian_filter((hu > 150).astype(np.float32), 8)
    anatomy = Anatomy(hu, PIXEL)
    middle = round(anatomy.middle[1])
    thick[:, middle - 60 : middle + 60] = 0
    parts = []
    for start, half in ((0, thick[:, :middle]), (middle, thick[:, middle:])):
        row, column = np.unravel_index(int(half.argmax()), half.shape)
        parts.append(Implant(float(row), float(start + column), 14, 14, 0.0, oval=True))
    return implant_share(parts, SIDE, SIDE, PIXEL)[None, None]


def shown(mu: Tensor) -> np.ndarray:
    """uint8 `[h w]`: the body, in the window, at half of 512."""
    hu = functional.interpolate(mu_to_hu(mu), (256, 256), mode="area")[0, 0]
    low, high = WINDOW
    grey = ((hu - low) / (high - low)).clamp(0, 1) * 255
    return grey[78:218, 14:226].to(torch.uint8).numpy()


def main(source: Path, output: Path) -> None:
    hu = np.asarray(Image.open(source)).astype(np.float32) - 1024
    clean, share = hu_to_mu(torch.from_numpy(hu))[None, None], stems(hu)
    rows = []
    for name, protocol in protocols().items():
        size = protocol.scanner.grid.width
        given, metal = (
            functional.interpolate(x, (size, size), mode="bilinear", antialias=True)
            for x in (clean, share)
        )
        metal = metal if protocol.tissue == "replaced" else metal > 0.5
        tiles = []
        for material in METALS:
            noise = torch.Generator().manual_seed(0)
            scan = simulate(given, metal, (material,), protocol, noise).scan
            tiles.append(shown(scan.image))
        assert scan.clean is not None
        row = Image.fromarray(np.concatenate([shown(scan.clean), *tiles], 1))
        ImageDraw.Draw(row).text((4, 2), f"{name}: truth", fill=255)
        for i, material in enumerate(METALS, 1):
            ImageDraw.Draw(row).text((i * tiles[0].shape[1] + 4, 2), material, fill=255)
        rows.append(np.asarray(row))
    Image.fromarray(np.concatenate(rows)).save(output, quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
