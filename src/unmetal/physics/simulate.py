"""Put metal into a clean slice and scan it: polychromatic beam, photon noise, reconstruction.

The steps are those of the released ADN simulation (prepare_deep_lesion.m), which follows
CNN-MAR's; what is drawn at random comes from a generator that is passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.attenuation import ENERGIES, linear_attenuation, mass_attenuation
from unmetal.physics.hardening import correct_water, water_coefficients
from unmetal.physics.scanner import CT, adn, syndeeplesion
from unmetal.physics.spectrum import spectrum
from unmetal.scan import Scan
from unmetal.units import REFERENCE_KEV, hu_to_mu

BEAM = ("water", "bone")
"""What tissue is split into."""


@dataclass(frozen=True)
class Protocol:
    """A scanner and how it is used; the defaults are the ADN paper's."""

    scanner: CT
    kvp: int = 120
    photons: float = 2e7
    """Photons that leave the tube towards each bin in each view."""
    scatter: float = 20
    """Photons that reach each bin from elsewhere. They cap a line integral at 13.8."""
    edge: float = 4
    """Partial volume: metal in the outermost bin at each side of a trace counts 1 / edge."""
    tissue: Literal["kept", "replaced"] = "kept"
    """Metal is added on top of the tissue (as in the paper) or takes its place (as in nature)."""


PROTOCOLS = {"adn": Protocol(adn()), "syndeeplesion": Protocol(syndeeplesion())}
"""The published protocols by name."""


@dataclass(frozen=True)
class Simulation:
    """What was scanned, and the same scan without the metal."""

    scan: Scan
    """With `clean` the slice that was put in, `image` the corrupted reconstruction."""
    free_sinogram: Tensor
    """`[B 1 V D]`: line integrals of the same scan without metal, noise included."""

    @property
    def free_image(self) -> Tensor:
        """`[B 1 H W]`, 1/cm: the metal-free reconstruction, the most that completing the
        sinogram can reach."""
        assert self.scan.scanner is not None
        return self.scan.scanner.reconstruct(self.free_sinogram)


def split_tissue(mu: Tensor) -> tuple[Tensor, Tensor]:
    """Water and bone, 1/cm, whose sum is `mu` (1/cm, any shape).

    Water up to 100 HU, bone from 1500 HU, a mixture between. Source: released ADN simulation.
    """
    water_top, bone_top = (
        float(hu_to_mu(torch.tensor(100.0))),
        float(hu_to_mu(torch.tensor(1500.0))),
    )
    bone = mu * ((mu - water_top) / (bone_top - water_top)).clamp(0, 1)
    return mu - bone, bone


def simulate(
    clean: Tensor,
    metal: Tensor,
    materials: Sequence[str],
    protocol: Protocol,
    generator: torch.Generator,
) -> Simulation:
    """Scan slices with metal in them.

    clean: `[B 1 H W]` 1/cm on the grid of the protocol's scanner; below air is taken as air.
    metal: bool or share of the pixel `[B M H W]`, one channel for each of the M `materials`.
    generator: draws the photon noise; on the device of the slices.
    """
    scanner = protocol.scanner
    clean = clean.clamp_min(0)
    metal = metal.to(clean)
    tissue = clean * (1 - metal.amax(1, keepdim=True)) if protocol.tissue == "replaced" else clean
    parts = torch.cat([*split_tissue(tissue), metal], 1)
    paths = scanner.project(parts.flatten(0, 1)[:, None]).unflatten(0, parts.shape[:2])[:, :, 0]
    lengths = paths[:, 2:]
    trace = scanner.met(lengths).any(1, keepdim=True)
    integrals = torch.cat([paths[:, :2], _at_70_kev(lengths, trace, materials, protocol)], 1)

    free = paths[:, :2]
    if protocol.tissue == "replaced":
        whole = torch.cat(split_tissue(clean), 1)
        free = scanner.project(whole.flatten(0, 1)[:, None]).reshape(free.shape)
    free_sinogram = _measure(_polychromatic(free, BEAM, protocol.kvp), protocol, generator)
    hit = trace[:, 0]
    along_hit = integrals.movedim(1, 0)[:, hit]
    through_metal = _polychromatic(along_hit[None], (*BEAM, *materials), protocol.kvp)
    sinogram = free_sinogram.clone()
    sinogram[:, 0][hit] = _measure(through_metal, protocol, generator).flatten()
    scan = Scan(
        image=scanner.reconstruct(sinogram),
        scanner=scanner,
        metal=metal.amax(1, keepdim=True) > 0.5,
        sinogram=sinogram,
        trace=trace,
        clean=clean,
    )
    return Simulation(scan, free_sinogram)


def _at_70_kev(
    lengths: Tensor, trace: Tensor, materials: Sequence[str], protocol: Protocol
) -> Tensor:
    """Line integrals of metals `[B M V D]` at 70 keV, thinned at the edges of the trace."""
    inside = trace & F.pad(trace, (1, 0), value=True)[..., :-1]
    inside = inside & F.pad(trace, (0, 1), value=True)[..., 1:]
    thin = torch.where(trace & ~inside, 1 / protocol.edge, 1.0)
    mu = [linear_attenuation(material, REFERENCE_KEV) for material in materials]
    return lengths * thin * lengths.new_tensor(mu)[:, None, None]


@lru_cache(maxsize=16)
def _beam(materials: tuple[str, ...], kvp: int) -> tuple[Tensor, Tensor]:
    """Attenuation relative to 70 keV `[M E]`, and shares of photons `[E]`, where there are any."""
    photons = spectrum(kvp)
    some = photons > 0
    reference = int((ENERGIES == REFERENCE_KEV).nonzero())
    tables = [mass_attenuation(material) for material in materials]
    relative = torch.stack([table / table[reference] for table in tables])
    return relative[:, some], photons[some] / photons.sum()


def _polychromatic(integrals: Tensor, materials: tuple[str, ...], kvp: int) -> Tensor:
    """What a detector that counts all photons alike measures, `[B 1 ...]`, of line integrals
    at 70 keV, one channel a material `[B M ...]`."""
    relative, photons = (table.to(integrals) for table in _beam(materials, kvp))
    rays = integrals.movedim(1, -1)
    # 4096 rays x 101 energies are 1.6 MB and stay in the cache of a core.
    some = 4096 if integrals.device.type == "cpu" else 2**20
    seen = [
        -torch.log(torch.exp(-(part @ relative)) @ photons)
        for part in rays.reshape(-1, len(materials)).split(some)
    ]
    return torch.cat(seen).reshape(rays.shape[:-1])[:, None]


def _measure(integrals: Tensor, protocol: Protocol, generator: torch.Generator) -> Tensor:
    """Line integrals after counting photons and the scanner's water correction."""
    expected = (protocol.photons * torch.exp(-integrals)).round() + protocol.scatter
    counted = torch.poisson(expected, generator).clamp_min(1)
    seen = -torch.log(counted / protocol.photons)
    return correct_water(seen, water_coefficients_of(protocol.kvp))


@lru_cache(maxsize=8)
def water_coefficients_of(kvp: int) -> Tensor:
    """`hardening.water_coefficients` of a tube voltage, computed once."""
    return water_coefficients(spectrum(kvp))
