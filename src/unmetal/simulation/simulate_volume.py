"""Simulate metal artifacts in the slices of a volume; returns every array of the simulation."""

import json
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from unmetal.errors import InputError
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.kinds import choose_hardware
from unmetal.physics.implants.primitives import choose_implants, draw_implants
from unmetal.physics.machines import MACHINES, protocol_for
from unmetal.physics.protocol import Protocol
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Simulation, resize, simulate
from unmetal.scan import Progress, Volume
from unmetal.units import hu_to_mu, mu_to_hu

SIMULATE_STREAM = 20_019
"""First number of the seeds of machines and their implants: training draws from other ones."""


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

    mask: bool `[h w]` of any size, the same for all slices; None draws implants: where metal
    replaces tissue of known kinds and true size (`physics.implants.kinds`), else objects in the
    body.
    setting, pixel: the protocol and the patient's pixel size on its grid, mm; see `setting_of`.

    Returns HU float32 `[slices H W]` under `image` (with artifacts), `truth` (of the protocol) and
    `free` (the same scan without metal); bool `[slices H W]` under `metal`; `[slices V D]`
    under `sinogram`, `free_sinogram` and `trace` (bool); str `[slices]` under `implants`, what was
    drawn; and a str under `settings`, the scan's as JSON.
    """
    grid = setting.scanner.grid
    # Another seed than that of the implants, which are so independent of the noise.
    noise = torch.Generator().manual_seed(seed + 2**31)
    draw = ImplantSampler(setting, pixel, metal, seed)
    parts: dict[str, list[Tensor]] = {}
    implants = []
    for number, hu in enumerate(volume.in_air()):
        progress(number, len(volume.hu))
        # `[h w]` HU to `[1 1 H W]` 1/cm on the grid of the protocol.
        clean = resize(hu_to_mu(torch.from_numpy(hu))[None, None], grid.height, grid.width)
        if mask is None:
            share, what = draw(clean[0, 0], number)
        else:
            given = torch.from_numpy(mask)[None, None].float()
            share, what = resize(given, grid.height, grid.width)[0, 0], "mask"
            # Metal that replaces tissue may fill part of a pixel; the published protocols know only
            # all.
            share = share if setting.tissue == "replaced" else share > 0.5
        implants.append(what)
        with torch.inference_mode():
            done = simulate(clean, share[None, None], (metal,), setting, noise)
            free = mu_to_hu(done.free_image)
        # Without the channel axis: `[1 H W]` or `[1 V D]` for each slice.
        for name, value in {**scan_arrays(done), "free": free}.items():
            parts.setdefault(name, []).append(value[:, 0])
    progress(len(volume.hu), len(volume.hu))
    arrays = {name: torch.cat(values).numpy() for name, values in parts.items()}
    told = {"implants": np.array(implants), "settings": np.array(json.dumps(setting.settings()))}
    return arrays | told


def scan_arrays(done: Simulation) -> dict[str, Tensor]:
    """The arrays of a simulated scan, `[1 1 ...]` each, images in HU."""
    scan = done.scan
    _, sinogram, trace = scan.measured()
    assert scan.clean is not None
    assert scan.metal is not None
    return {
        "image": mu_to_hu(scan.image),
        "truth": mu_to_hu(scan.clean),
        "metal": scan.metal,
        "sinogram": sinogram,
        "free_sinogram": done.free_sinogram,
        "trace": trace,
    }


class ImplantSampler:
    """Draws implants for slice after slice, the same for the same seed."""

    def __init__(self, setting: Protocol, pixel: float, metal: str, seed: int) -> None:
        self.setting, self.pixel, self.metal, self.seed = setting, pixel, metal, seed
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, clean: Tensor, number: int) -> tuple[Tensor, str]:
        """Metal, bool or share of the pixel `[H W]`, for slice `number`, `[H W]` in 1/cm, and its
        name."""
        height, width = clean.shape
        hu = mu_to_hu(clean).numpy()
        if self.setting.tissue == "replaced":
            # A generator for each slice: what is drawn does not depend on the slices before.
            rng = np.random.default_rng([SIMULATE_STREAM, self.seed, number])
            hardware = choose_hardware(hu, self.pixel, (self.metal,), rng)
            if hardware is None:
                return torch.zeros(hu.shape), "none"
            return hardware.share(height, width, self.pixel), hardware.kind
        body = torch.from_numpy(body_mask(hu, self.pixel))
        implants = choose_implants(body, self.pixel, self.generator)
        return draw_implants(implants, height, width, self.pixel) & body, f"{len(implants)} objects"


def setting_of(
    volume: Volume, protocol: str, *, native: bool, seed: int = 0
) -> tuple[Protocol, float]:
    """The protocol as it is used here, and the patient's pixel size (mm) on its grid.

    A machine scans at native size, with settings drawn from `seed`, one for the whole series.
    Raises `InputError` for slices that are not square where the protocol wants them so.
    """
    pixel = volume.square_pixel
    _, height, width = volume.hu.shape
    rng = np.random.default_rng([SIMULATE_STREAM, seed])
    setting = protocol_for(protocol, rng, (height, width), pixel)
    if protocol in MACHINES:
        return setting, pixel
    if native:
        return replace(setting, scanner=clinical(height, width, pixel / 10)), pixel
    if height != width:
        raise InputError(f"{volume.path}: {height} x {width} is not square; use --native")
    # The whole slice fills the grid of the protocol, so its pixels change size.
    return setting, pixel * width / setting.scanner.grid.width
