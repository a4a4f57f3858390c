"""Volumes: put metal into clean slices, scan them, and give back everything that is known."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.engine.reduce import Progress, square_pixel, without_padding
from unmetal.errors import InputError
from unmetal.physics.derive import body_mask
from unmetal.physics.implants import choose_implants, draw_implants
from unmetal.physics.protocol import PROTOCOLS, Protocol
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import simulate
from unmetal.scan import Volume
from unmetal.units import hu_to_mu, mu_to_hu

NOISE_SEED = 2**31
"""Added to a seed for the noise, so that implants drawn from it are independent of it."""


def simulate_volume(
    volume: Volume,
    mask: np.ndarray | None,
    setting: Protocol,
    pixel: float,
    metal: str = "ti",
    seed: int = 0,
    *,
    progress: Progress = lambda done, total: None,
) -> dict[str, np.ndarray]:
    """Scan each slice with metal in it.

    mask: bool `[h w]` of any size, the same for all slices; None draws implants inside the body.
    setting, pixel: the protocol and the patient's pixel size on its grid, mm; see `setting_of`.

    Returns HU float32 `[slices H W]` under `image` (with artifacts), `truth` (what was scanned) and
    `free` (the same scan without metal); bool `[slices H W]` under `metal`; and `[slices V D]`
    under `sinogram`, `free_sinogram` and `trace` (bool).
    """
    grid = setting.scanner.grid
    generator = torch.Generator().manual_seed(seed)
    noise = torch.Generator().manual_seed(seed + NOISE_SEED)
    parts: dict[str, list[Tensor]] = {}
    for number, hu in enumerate(without_padding(volume)):
        progress(number, len(volume.hu))
        clean = resize(hu_to_mu(torch.from_numpy(hu))[None, None], grid.height, grid.width)
        if mask is None:
            body = torch.from_numpy(body_mask(mu_to_hu(clean[0, 0]).numpy(), pixel))
            implants = choose_implants(body, pixel, generator)
            drawn = draw_implants(implants, grid.height, grid.width, pixel) & body
        else:
            given = torch.from_numpy(mask)[None, None].float()
            drawn = resize(given, grid.height, grid.width)[0, 0] > 0.5
        with torch.inference_mode():
            done = simulate(clean, drawn[None, None], (metal,), setting, noise)
            free = mu_to_hu(done.free_image)
        scan = done.scan
        _, sinogram, trace = scan.measured()
        assert scan.clean is not None
        assert scan.metal is not None
        for name, value in {
            "image": mu_to_hu(scan.image),
            "truth": mu_to_hu(scan.clean),
            "free": free,
            "metal": scan.metal,
            "sinogram": sinogram,
            "free_sinogram": done.free_sinogram,
            "trace": trace,
        }.items():
            parts.setdefault(name, []).append(value[:, 0])
    progress(len(volume.hu), len(volume.hu))
    return {name: torch.cat(values).numpy() for name, values in parts.items()}


def setting_of(volume: Volume, protocol: str, *, native: bool) -> tuple[Protocol, float]:
    """The protocol as it is used here, and the patient's pixel size (mm) on its grid.

    Raises `InputError` for slices that are not square where the protocol wants them so.
    """
    setting, pixel = PROTOCOLS[protocol], square_pixel(volume)
    _, height, width = volume.hu.shape
    if native:
        return replace(setting, scanner=clinical(height, width, pixel / 10)), pixel
    if height != width:
        raise InputError(f"{volume.path}: {height} x {width} is not square; use --native")
    return setting, pixel * width / setting.scanner.grid.width


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """`[B 1 H W]` at another size, bilinear and antialiased as MATLAB's imresize."""
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True)
