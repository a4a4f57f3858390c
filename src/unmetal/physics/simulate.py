"""Put metal into a clean slice and scan it: polychromatic beam, photon noise, reconstruction.

The steps are those of the released ADN simulation (prepare_deep_lesion.m), which follows
CNN-MAR's; what is drawn at random comes from a generator that is passed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.beam.attenuation import linear_attenuation
from unmetal.physics.beam.polychromatic import polychromatic
from unmetal.physics.detector import measure
from unmetal.physics.protocol import Protocol
from unmetal.scan import Scan
from unmetal.units import REFERENCE_KEV, hu_to_mu

TISSUE = ("water", "bone")
"""What tissue is split into."""


@dataclass(frozen=True)
class Simulation:
    """What was scanned, and the same scan without the metal."""

    scan: Scan
    """With `clean` the truth of the protocol, `image` the corrupted reconstruction."""
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
    water_top, bone_top = hu_to_mu(torch.tensor([100.0, 1500.0])).tolist()
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
    # Any metal, whichever it is.
    share = metal.amax(1, keepdim=True)
    tissue = clean * (1 - share) if protocol.tissue == "replaced" else clean
    # Water and bone in 1/cm give line integrals, metal gives path lengths in cm: `[B 2+M V D]`.
    paths = _paths(torch.cat([*split_tissue(tissue), metal], 1), protocol)
    lengths = paths[:, 2:]
    trace = scanner.hits_metal(lengths).any(1, keepdim=True)
    integrals = torch.cat([paths[:, :2], _at_70_kev(lengths, trace, materials, protocol)], 1)

    # The scan without metal: where metal displaces tissue, that tissue is back in its place.
    free = paths[:, :2]
    if protocol.tissue == "replaced":
        free = _paths(torch.cat(split_tissue(clean), 1), protocol)
    without = polychromatic(free, TISSUE, protocol.beam)
    # Only rays through metal need the beam again with metal in it: `[2+M N]` of N rays.
    hit = trace[:, 0]
    along_hit = integrals.movedim(1, 0)[:, hit]
    through_metal = polychromatic(along_hit[None], (*TISSUE, *materials), protocol.beam)
    if protocol.scatter_model is None and not protocol.aperture:
        free_sinogram = measure(without, protocol, generator)
        sinogram = free_sinogram.clone()
        sinogram[:, 0][hit] = measure(through_metal, protocol, generator).flatten()
    else:  # scatter and aperture carry the metal into the rays beside it
        affected = without.clone()
        affected[:, 0][hit] = through_metal.flatten()
        without, affected = (apply_aperture(x, protocol.aperture) for x in (without, affected))
        free_sinogram, sinogram = (measure(x, protocol, generator) for x in (without, affected))
        trace = F.max_pool2d(trace.float(), (1, 3), 1, (0, 1)) > 0
    # Without metal and noise, but with the same beam, scatter and reconstruction.
    if protocol.truth == "scan":
        clean = scanner.reconstruct(measure(without, protocol, None))
    scan = Scan(
        image=scanner.reconstruct(sinogram),
        scanner=scanner,
        metal=majority_mask(share) & scanner.fov_mask(share),
        sinogram=sinogram,
        trace=trace,
        clean=clean,
    )
    return Simulation(scan, free_sinogram)


def _paths(parts: Tensor, protocol: Protocol) -> Tensor:
    """Projections `[B M V D]` of `[B M H W]`, of a patient who may move."""
    scanner = protocol.scanner
    paths = scanner.project(parts.flatten(0, 1)[:, None]).unflatten(0, parts.shape[:2])[:, :, 0]
    return paths if protocol.motion is None else protocol.motion(paths, scanner.geometry)


def apply_aperture(integrals: Tensor, aperture: float) -> Tensor:
    """Line integrals `[B 1 V D]` of bins that count the share `aperture` of the photons of each of
    their neighbors."""
    # Averages photons, not line integrals: the logarithm comes after the detector.
    photons = F.pad(torch.exp(-integrals), (1, 1, 0, 0), mode="replicate")
    beside = photons[..., :-2] + photons[..., 2:]
    return -torch.log((1 - 2 * aperture) * photons[..., 1:-1] + aperture * beside)


def majority_mask(share: Tensor) -> Tensor:
    """bool `[B 1 H W]`: pixels more than half metal; where metal is thinner than a pixel, the local
    maxima above a tenth. share: `[B 1 H W]`."""
    most = F.max_pool2d(share, 3, 1, 1)
    return (share > 0.5) | ((share == most) & (share > 0.1))


def _at_70_kev(
    lengths: Tensor, trace: Tensor, materials: Sequence[str], protocol: Protocol
) -> Tensor:
    """Line integrals of metals `[B M V D]` at 70 keV, thinned at the edges of the trace."""
    # Bins of the trace with metal on both sides; the others are its edges.
    inside = trace & F.pad(trace, (1, 0), value=True)[..., :-1]
    inside = inside & F.pad(trace, (0, 1), value=True)[..., 1:]
    thin = torch.where(trace & ~inside, 1 / protocol.edge, 1.0)
    mu = [linear_attenuation(material, REFERENCE_KEV) for material in materials]
    return lengths * thin * lengths.new_tensor(mu)[:, None, None]


def resize(image: Tensor, height: int, width: int) -> Tensor:
    """`[B 1 H W]` at another size, bilinear and antialiased as MATLAB's imresize."""
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True)
