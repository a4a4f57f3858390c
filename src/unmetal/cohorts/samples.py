"""Samples to learn from: an affected slice and its truth, and a clean slice of another patient.

Sample `i` of a seed is always the same: everything random is drawn from a generator seeded with
both, so a run resumes where it stopped without any state, and ranks share a batch between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.cohorts.cohort import Cohort
from unmetal.cohorts.metal_shapes import MetalSampler, Placement, Shapes
from unmetal.physics.derive import coarser
from unmetal.physics.implants.kinds import Hardware
from unmetal.physics.machines import MACHINES, protocol_for
from unmetal.physics.protocol import Protocol
from unmetal.physics.simulate import simulate
from unmetal.scan import Scan
from unmetal.units import hu_to_mu, mu_to_hu

BODY_HU = -300
"""Metal sits where the slice is denser than this."""


@dataclass(frozen=True)
class Config:
    """What is drawn for each sample."""

    protocol: str = "adn"
    """A name in `unmetal.physics.machines.NAMES`."""

    metals: tuple[str, ...] = ("ti",)
    """Each sample has one of these; the paper has titanium only. A machine in mm puts in implants
    that are made of them."""

    zoom: tuple[float, float] = (1.0, 1.0)
    """Range of the size of the body in the frame; the paper changes nothing."""

    turn: float = 0.0
    """Largest rotation of a slice in radians; the paper turns none."""

    coarser: int = 1
    """Blocks of this many pixels squared are averaged: 2 is a fourth of the work."""

    halves: bool = True
    """Affected slices come from one half of the patients, clean ones from the other: nothing that
    is learned has seen a slice both ways. False for supervised methods, which may learn from the
    pairs of all of them."""

    by_patient: bool = True
    """Draw the patient first, by the square root of how many slices there are: one patient with
    half of all slices would otherwise be half of all samples."""


@dataclass(frozen=True)
class View:
    """How a slice is shown."""

    slice: int
    flip: bool
    zoom: float
    turn: float


@dataclass(frozen=True)
class Choice:
    """All that is random about one sample but the photon noise."""

    affected: View
    clean: View
    metal: Sequence[Placement] | Hardware
    material: str
    protocol: Protocol


class Samples:
    """An endless row of samples from a cohort."""

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
        self.odds = {role: self._odds(role) for role in ("affected", "clean")}

    def _odds(self, role: str) -> tuple[np.ndarray, np.ndarray]:
        """The slices of a role and how likely each is."""
        slices = self.cohort.having(role)
        if not self.config.halves:
            both = [self.cohort.having(half) for half in ("affected", "clean")]
            slices = np.sort(np.concatenate(both))
        if not self.config.by_patient:
            return slices, np.full(len(slices), 1 / len(slices))
        _, which, count = np.unique(
            self.cohort.patient[slices], return_inverse=True, return_counts=True
        )
        odds = 1 / np.sqrt(count[which])
        return slices, odds / odds.sum()

    def choose(self, index: int) -> Choice:
        """Everything random about sample `index`."""
        draw = np.random.default_rng([self.seed, index])
        affected, clean = self._view(draw, "affected"), self._view(draw, "clean")
        # One flip for both, as in the paper's data loader.
        clean = View(clean.slice, affected.flip, clean.zoom, clean.turn)
        if self.metal_sampler:
            return self.choose_in_mm(draw, affected, clean)
        body = self.cohort.hu[affected.slice] > BODY_HU
        metal = self.shapes.choose(draw, body[:, ::-1] if affected.flip else body)
        material = str(draw.choice(self.config.metals))
        return Choice(affected, clean, metal, material, self._protocol(draw, 0))

    def choose_in_mm(self, draw: np.random.Generator, affected: View, clean: View) -> Choice:
        """Metal and the settings of a machine for a slice that is shown as in `affected`."""
        assert self.metal_sampler is not None
        pixel = float(self.cohort.in_mm()[0][affected.slice]) / affected.zoom
        protocol = self._protocol(draw, pixel)
        hu = mu_to_hu(self.show(affected)[0]).cpu().numpy()
        metal, material = self.metal_sampler.choose(draw, hu, pixel)
        return Choice(affected, clean, metal, material, protocol)

    def _protocol(self, draw: np.random.Generator, pixel: float) -> Protocol:
        height, width = self.cohort.hu.shape[-2:]
        return protocol_for(self.config.protocol, draw, (height, width), pixel)

    def _view(self, draw: np.random.Generator, role: str) -> View:
        slices, odds = self.odds[role]
        return View(
            int(draw.choice(slices, p=odds)),
            bool(draw.random() < 0.5),
            float(draw.uniform(*self.config.zoom)),
            float(draw.uniform(-1, 1) * self.config.turn),
        )

    def __call__(self, first: int, count: int) -> Scan:
        """Samples `first` to `first + count`: `image`, `other` and the truth, `[count 1 H W]`; at
        full resolution also everything that the scan knows."""
        choices = [self.choose(index) for index in range(first, first + count)]
        noise = torch.Generator(self.device).manual_seed(self.seed * 1_000_003 + first)
        return self.scan(choices, noise)

    def scan(self, choices: Sequence[Choice], noise: torch.Generator) -> Scan:
        """Do what was chosen."""
        if self.metal_sampler:
            scans = [self._scan_in_mm(choice, noise) for choice in choices]
            return coarser(together(scans), self.config.coarser)
        truth = torch.stack([self.show(choice.affected) for choice in choices])
        height, width = truth.shape[-2:]
        # One channel for each material that occurs: a sample has metal in only one of them.
        materials = sorted({choice.material for choice in choices})
        metal = torch.zeros(len(choices), len(materials), height, width, device=self.device)
        for i, choice in enumerate(choices):
            assert not isinstance(choice.metal, Hardware)
            mask = self.shapes.place(choice.metal, height, width)
            metal[i, materials.index(choice.material)] = mask[0].float()
        scan = simulate(truth, metal, materials, choices[0].protocol, noise).scan
        other = torch.stack([self.show(choice.clean) for choice in choices])
        return coarser(replace(scan, clean=truth, other=other), self.config.coarser)

    def _scan_in_mm(self, choice: Choice, noise: torch.Generator) -> Scan:
        """One sample of a machine, whose settings are its own; its truth is a scan.

        The clean slice of another patient is as it was, but for what is outside of the field of
        view: else a critic would learn to tell the field and not the artifacts.
        """
        assert self.metal_sampler is not None
        slice_, other = (self.show(view)[None] for view in (choice.affected, choice.clean))
        share = self.metal_sampler.share(choice.metal, choice.protocol.scanner.grid)
        scan = simulate(slice_, share, (choice.material,), choice.protocol, noise).scan
        return replace(scan, other=other * choice.protocol.scanner.seen(other))

    def show(self, view: View) -> Tensor:
        """A slice as chosen, `[1 H W]` in 1/cm; what a turn brings in from outside is air."""
        mu = hu_to_mu(self.hu[view.slice].float().clamp_min(-1000))[None]
        if view.zoom != 1 or view.turn:
            cosine, sine = np.cos(view.turn) / view.zoom, np.sin(view.turn) / view.zoom
            theta = mu.new_tensor([[[cosine, sine, 0], [-sine, cosine, 0]]])
            grid = functional.affine_grid(theta, [1, *mu.shape], align_corners=False)
            moved = functional.grid_sample(mu[None], grid, mode="bicubic", align_corners=False)
            mu = moved[0].clamp_min(0)
        return mu.flip(-1) if view.flip else mu


def together(scans: Sequence[Scan]) -> Scan:
    """Scans as a batch. Of several only images and metal are left: each has its own scanner."""
    if len(scans) == 1:
        return scans[0]

    def all_of(field: str) -> Tensor:
        return torch.cat([getattr(scan, field) for scan in scans])

    image, metal, clean, other = map(all_of, ("image", "metal", "clean", "other"))
    return Scan(image=image, metal=metal, clean=clean, other=other)
