"""Simulated training samples: an affected slice, its truth, a clean slice of another patient.

Sample `i` of a seed is always the same: everything random is drawn from a generator seeded with
both, so a run resumes where it stopped without any state, and ranks share a batch between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.cohorts.cohort import Cohort, SliceTransform, sampling_weights
from unmetal.cohorts.metal_shapes import MetalSampler, Placement, Shapes
from unmetal.physics.derive import downsample
from unmetal.physics.implants.kinds import Hardware
from unmetal.physics.machines import MACHINES, protocol_for
from unmetal.physics.protocol import Protocol
from unmetal.physics.simulate import Simulation, simulate
from unmetal.scan import Scan
from unmetal.units import hu_to_mu, mu_to_hu

BODY_HU = -300
"""Metal is put where the slice is denser than this."""


@dataclass(frozen=True)
class Config:
    """How samples are drawn."""

    protocol: str = "adn"
    """A name in `unmetal.physics.machines.NAMES`."""

    metals: tuple[str, ...] = ("ti",)
    """Each sample has one of these; the paper has titanium only. Protocols with sizes in mm put in
    implants that are made of them."""

    zoom: tuple[float, float] = (1.0, 1.0)
    """Range of the magnification of a slice; the paper has none."""

    rotation: float = 0.0
    """Largest rotation of a slice in radians; the paper has none."""

    downsample: int = 1
    """Average over blocks of this many pixels squared: 2 is a fourth of the work."""

    disjoint_patients: bool = True
    """Affected slices come from one half of the patients, clean ones from the other, as unpaired
    learning needs. False for supervised methods, which may learn from the pairs of all patients."""

    scan_other: bool = False
    """Scan the clean slices of other patients too, without metal (`Scan.other_scanned`): the noise
    and blur of every slice are then no part of the artifact."""

    by_patient: bool = True
    """Weight a patient by the square root of the number of his slices; all slices alike otherwise,
    where one patient with half of all slices would be half of all samples."""


@dataclass(frozen=True)
class SampleSpec:
    """Everything random about one sample but the photon noise."""

    affected: SliceTransform
    clean: SliceTransform
    metal: Sequence[Placement] | Hardware
    material: str
    protocol: Protocol


class Samples:
    """An endless sequence of samples from a cohort."""

    def __init__(
        self, cohort: Cohort, config: Config, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.cohort, self.config, self.seed = cohort, config, seed
        self.device = torch.device(device)
        self.hu = torch.from_numpy(cohort.hu).to(self.device)
        self.shapes = Shapes(cohort.shapes, cohort.whole, self.device)
        self.metal_sampler = None
        if config.protocol in MACHINES:
            self.metal_sampler = MetalSampler(self.shapes, cohort, config.metals)
        self.slices = {role: self._slices(role) for role in ("affected", "clean")}

    def _slices(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """The slices that a role may have, and the probability of each."""
        slices = self.cohort.slices_of(role)
        if not self.config.disjoint_patients:
            both = [self.cohort.slices_of(half) for half in ("affected", "clean")]
            slices = np.sort(np.concatenate(both))
        return slices, sampling_weights(self.cohort.patient[slices], self.config.by_patient)

    def choose(self, index: int) -> SampleSpec:
        """Everything random about sample `index`."""
        rng = np.random.default_rng([self.seed, index])
        affected, clean = self._transform(rng, "affected"), self._transform(rng, "clean")
        # One flip for both, as in the paper's data loader.
        clean = replace(clean, flip=affected.flip)
        if self.metal_sampler:
            return self.choose_in_mm(rng, affected, clean)
        body = self.cohort.hu[affected.slice] > BODY_HU
        metal = self.shapes.choose(rng, body[:, ::-1] if affected.flip else body)
        material = str(rng.choice(self.config.metals))
        return SampleSpec(affected, clean, metal, material, self._protocol(rng, 0))

    def choose_in_mm(
        self, rng: np.random.Generator, affected: SliceTransform, clean: SliceTransform
    ) -> SampleSpec:
        """Metal and the settings of a scanner at true size for a slice."""
        assert self.metal_sampler is not None
        # Magnification makes a pixel smaller in mm.
        pixel = float(self.cohort.pixel[affected.slice]) / affected.zoom
        protocol = self._protocol(rng, pixel)
        hu = mu_to_hu(self.render(affected)[0]).cpu().numpy()
        metal, material = self.metal_sampler.choose(rng, hu, pixel)
        return SampleSpec(affected, clean, metal, material, protocol)

    def _protocol(self, rng: np.random.Generator, pixel: float) -> Protocol:
        height, width = self.cohort.hu.shape[-2:]
        return protocol_for(self.config.protocol, rng, (height, width), pixel)

    def _transform(self, rng: np.random.Generator, role: str) -> SliceTransform:
        slices, weights = self.slices[role]
        return SliceTransform(
            int(rng.choice(slices, p=weights)),
            bool(rng.random() < 0.5),
            float(rng.uniform(*self.config.zoom)),
            float(rng.uniform(-1, 1) * self.config.rotation),
        )

    def __call__(self, first: int, count: int) -> Scan:
        """Samples `first` to `first + count`: `image`, `other` and the truth, `[count 1 H W]`; at
        full resolution also everything that the scan knows."""
        specs = [self.choose(index) for index in range(first, first + count)]
        noise = torch.Generator(self.device).manual_seed(self.seed * 1_000_003 + first)
        return self.scan(specs, noise)

    def scan(self, specs: Sequence[SampleSpec], noise: torch.Generator) -> Scan:
        """Scans of the samples that were chosen, as the configuration has them."""
        scans = [simulation.scan for simulation in self.simulate(specs, noise)]
        return downsample(collate(scans), self.config.downsample)

    def simulate(self, specs: Sequence[SampleSpec], noise: torch.Generator) -> list[Simulation]:
        """Simulate the samples that were chosen, at full resolution: as one batch where all have
        one scanner, else one by one."""
        if self.metal_sampler:
            return [self._simulate_in_mm(spec, noise) for spec in specs]
        truth = torch.stack([self.render(spec.affected) for spec in specs])
        height, width = truth.shape[-2:]
        # One channel for each material that occurs, [B M H W]: a sample has metal in one of them.
        materials = sorted({spec.material for spec in specs})
        metal = torch.zeros(len(specs), len(materials), height, width, device=self.device)
        for i, spec in enumerate(specs):
            assert not isinstance(spec.metal, Hardware)
            mask = self.shapes.place(spec.metal, height, width)
            metal[i, materials.index(spec.material)] = mask[0].float()
        simulation = simulate(truth, metal, materials, specs[0].protocol, noise)
        other = torch.stack([self.render(spec.clean) for spec in specs])
        simulation = replace(simulation, scan=replace(simulation.scan, clean=truth, other=other))
        return [self._scan_other(simulation, specs[0].protocol, noise)]

    def _simulate_in_mm(self, spec: SampleSpec, noise: torch.Generator) -> Simulation:
        """One sample of a scanner with settings of its own; its truth is a scan.

        The clean slice of another patient is cut to the field of view too: else a discriminator
        would learn to tell the field and not the artifacts.
        """
        assert self.metal_sampler is not None
        slice_, other = (self.render(one)[None] for one in (spec.affected, spec.clean))
        share = self.metal_sampler.share(spec.metal, spec.protocol.scanner.grid)
        simulation = simulate(slice_, share, (spec.material,), spec.protocol, noise)
        other = other * spec.protocol.scanner.fov_mask(other)
        simulation = replace(simulation, scan=replace(simulation.scan, other=other))
        return self._scan_other(simulation, spec.protocol, noise)

    def _scan_other(
        self, simulation: Simulation, protocol: Protocol, noise: torch.Generator
    ) -> Simulation:
        """The clean slices of other patients scanned as well, where that is asked for."""
        other = simulation.scan.other
        if not self.config.scan_other or other is None:
            return simulation
        # A generator of its own: whether this is asked for changes nothing else about the sample.
        own = torch.Generator(self.device).manual_seed(noise.initial_seed() + 77_000_003)
        no_metal = torch.zeros_like(other)
        scanned = simulate(other, no_metal, self.config.metals[:1], protocol, own).free_image
        return replace(simulation, scan=replace(simulation.scan, other_scanned=scanned))

    def render(self, transform: SliceTransform) -> Tensor:
        """A slice, augmented, `[1 H W]` in 1/cm; what rotation brings in from outside is air."""
        # What is below air is padding.
        mu = hu_to_mu(self.hu[transform.slice].float().clamp_min(-1000))[None]
        zoom, rotation = transform.zoom, transform.rotation
        if zoom != 1 or rotation:
            # theta [1 2 3] maps places of the result to places of the slice.
            cosine, sine = np.cos(rotation) / zoom, np.sin(rotation) / zoom
            theta = mu.new_tensor([[[cosine, sine, 0], [-sine, cosine, 0]]])
            grid = functional.affine_grid(theta, [1, *mu.shape], align_corners=False)
            moved = functional.grid_sample(mu[None], grid, mode="bicubic", align_corners=False)
            # Bicubic interpolation undershoots at edges.
            mu = moved[0].clamp_min(0)
        return mu.flip(-1) if transform.flip else mu


def collate(scans: Sequence[Scan]) -> Scan:
    """Scans as a batch; of more than one sinogram and scanner are dropped, which differ."""
    if len(scans) == 1:
        return scans[0]

    def all_of(field: str) -> Tensor:
        return torch.cat([getattr(scan, field) for scan in scans])

    image, metal, clean, other = map(all_of, ("image", "metal", "clean", "other"))
    scanned = None if scans[0].other_scanned is None else all_of("other_scanned")
    return Scan(image=image, metal=metal, clean=clean, other=other, other_scanned=scanned)
