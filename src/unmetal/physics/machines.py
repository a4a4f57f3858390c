"""Machines whose settings differ from scan to scan: `clinical` and `cbct`, drawn from ranges.

What is a machine's own (its rays) is fixed; what a technician, a patient and a dose limit decide is
drawn. docs/physics.md states each range with its source, and what was measured of the scans.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from unmetal.errors import InputError
from unmetal.physics.beam.scatter import Scatter
from unmetal.physics.beam.spectrum import Beam
from unmetal.physics.motion import Motion
from unmetal.physics.projection.fbp import Kernel
from unmetal.physics.projection.geometry import Geometry
from unmetal.physics.protocol import PROTOCOLS, Protocol
from unmetal.physics.scanner import CT, arc, cone_beam

Range = tuple[float, float]


@dataclass(frozen=True)
class ScannerModel:
    """A scanner, and the ranges that its settings are drawn from, scan by scan."""

    scanner: Callable[[int, int, float], CT]
    """The scanner for an image of (height, width) and a pixel in cm."""
    kvp: tuple[int, ...]
    """Tube voltages, equally likely."""
    copper: float
    """mm of copper behind the tube, see `spectrum.Beam`."""
    photons: Range
    """Photons to a bin of `bin` in a turn of `turn` views; even on a logarithmic scale."""
    scatter: Range
    """`Scatter.amount`, on a logarithmic scale."""
    corrected: Range
    """Share of the scatter that the scanner takes out again."""
    width: float
    """`Scatter.width`."""
    kernels: tuple[Kernel, ...]
    """Reconstruction kernels, equally likely."""
    motion: Range
    """Amplitude of that motion in mm, on a logarithmic scale."""
    electronic: Range = (3.0, 10.0)
    """Standard deviation of the noise of such a bin, in photons."""
    motion_probability: float = 0.5
    """Share of the scans in which the patient moves."""
    adaptive_smoothing: float = 0.1
    """`Protocol.adaptive_smoothing`."""
    fov: Range | None = None
    """Diameter of the field of view as a share of the image's longer side; None sees it all."""
    bin_mm: float = 0.6
    """mm at the axis of rotation, of a real detector's bin."""
    views_per_turn: int = 1000
    """Views of a real scanner in a turn. Our bins are larger and our views fewer: each stands for
    several of the real ones and has their photons and their noise together."""

    def draw(self, rng: np.random.Generator, size: tuple[int, int], pixel: float) -> Protocol:
        """The protocol of one scan, for an image of `size` (height, width) and pixels in mm."""
        # The order of the draws is part of the format: a seed must always give the same protocol.
        scanner = self.scanner(*size, pixel / 10)
        together = self._rays_per_bin(scanner.geometry)
        photons, electronic = _log_uniform(rng, self.photons), rng.uniform(*self.electronic)
        amount, corrected = _log_uniform(rng, self.scatter), rng.uniform(*self.corrected)
        kvp, kernel = (int(rng.integers(len(x))) for x in (self.kvp, self.kernels))
        truncated = self._draw_truncation(rng, scanner)
        scanner = replace(scanner, kernel=self.kernels[kernel], truncated_bins=truncated)
        motion = self._draw_motion(rng)
        return Protocol(
            scanner,
            beam=Beam(self.kvp[kvp], self.copper, integrating=True, kev=4),
            # Ours counts what several real bins and views count together: noise grows by the root.
            photons=photons * together,
            scatter=0.0,
            scatter_model=Scatter(amount, self.width, corrected),
            electronic=electronic * math.sqrt(together),
            adaptive_smoothing=self.adaptive_smoothing,
            aperture=1 / 6,
            motion=motion,
            edge=1.0,
            tissue="replaced",
            truth="scan",
        )

    def _rays_per_bin(self, geometry: Geometry) -> float:
        """Real measurements that one of ours stands for."""
        # cm to mm: bins of a real detector in one of ours, times its views in one of ours.
        return 10 * geometry.pitch_at_axis / self.bin_mm * self.views_per_turn / geometry.views

    def _draw_truncation(self, rng: np.random.Generator, scanner: CT) -> int:
        """Bins to leave out at each end of the detector."""
        if self.fov is None:
            return 0
        grid, geometry = scanner.grid, scanner.geometry
        # Diameter of the field of view in cm; half of what is left over goes at each end.
        across = rng.uniform(*self.fov) * max(grid.height, grid.width) * grid.pixel
        return max(0, round((geometry.bins - across / geometry.pitch_at_axis) / 2))

    def _draw_motion(self, rng: np.random.Generator) -> Motion | None:
        # Drawn in either case, so that what follows does not depend on it.
        moves = rng.random() < self.motion_probability
        amplitude = _log_uniform(rng, self.motion) / 10  # mm to cm
        direction, phase = rng.uniform(0, 2 * math.pi, 2)
        cycles = rng.uniform(0.25, 1.5)
        return Motion(amplitude, direction, cycles, phase) if moves else None


def _log_uniform(rng: np.random.Generator, between: Range) -> float:
    return float(np.exp(rng.uniform(*np.log(between))))


MACHINES = {
    "clinical": ScannerModel(
        scanner=arc,
        kvp=(80, 100, 120, 140),
        copper=0.2,
        photons=(2e4, 1e6),
        scatter=(0.002, 0.02),
        corrected=(0.7, 1.0),
        width=0.1,
        kernels=("hann", "ram-lak"),
        motion=(0.2, 2.0),
    ),
    "cbct": ScannerModel(
        scanner=cone_beam,
        kvp=(100, 120),
        copper=0.1,
        photons=(3e3, 3e4),
        scatter=(0.03, 0.12),
        corrected=(0.7, 0.95),
        width=0.15,
        kernels=("hann",),
        motion=(0.3, 3.0),
        fov=(0.65, 0.95),
    ),
}
"""The machines by name."""

NAMES = (*PROTOCOLS, *MACHINES)
"""Every protocol's name."""


def protocol_for(
    name: str, rng: np.random.Generator, size: tuple[int, int], pixel: float
) -> Protocol:
    """The protocol of one scan: a published one as it is, a machine's drawn.

    size, pixel: (height, width) of the image that is scanned, and its pixel in mm, which a
    published protocol does not heed: it has its own. Raises `InputError` for an unknown name.
    """
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if name not in MACHINES:
        raise InputError(f"no protocol {name!r}; there are {', '.join(NAMES)}")
    return MACHINES[name].draw(rng, size, pixel)
