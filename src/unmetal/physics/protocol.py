"""Scan protocols: beam, dose and disturbances of a scan; the published ones by name."""

from dataclasses import dataclass, field
from typing import Literal

from unmetal.physics.beam.scatter import Scatter
from unmetal.physics.beam.spectrum import Beam
from unmetal.physics.motion import Motion
from unmetal.physics.scanner import CT, adn, syndeeplesion


@dataclass(frozen=True)
class Protocol:
    """A scanner and how it is used; the defaults are the ADN paper's."""

    scanner: CT
    beam: Beam = field(default_factory=Beam)
    """Tube and detector."""
    photons: float = 2e7
    """Photons that leave the tube towards each bin in each view."""
    scatter: float = 20
    """Photons that reach each bin from elsewhere. They cap a line integral at 13.8."""
    scatter_model: Scatter | None = None
    """Scatter that depends on the object, beside the constant one."""
    electronic: float = 0.0
    """Standard deviation of the detector's own Gaussian noise, in photons."""
    adaptive_smoothing: float = 0.0
    """Noise relative to the signal above which the scanner smooths its raw data; 0 never."""
    motion: Motion | None = None
    """How the patient moves while the gantry turns."""
    aperture: float = 0.0
    """Share of the photons of each neighbor that a bin counts, beside its own: bins, focal spot
    and gantry are not points. As photons are what is averaged, so are edges of metal."""
    edge: float = 4
    """Partial volume: metal in the outermost bin at each side of a trace counts 1 / edge."""
    tissue: Literal["kept", "replaced"] = "kept"
    """Metal is added on top of the tissue (as in the paper) or takes its place (as in nature)."""
    truth: Literal["slice", "scan"] = "slice"
    """What a perfect method would give: the slice that was put in (as in the paper), or its scan
    by the same machine without metal and without noise."""

    def settings(self) -> dict[str, float | str]:
        """What may differ from scan to scan, under plain names, for a log or a file."""
        # The part that differs from scan to scan: geometry follows from the scanner's name.
        scatter, motion = self.scatter_model, self.motion
        return {
            # Rounded, for a person; lengths in mm.
            "kvp": self.beam.kvp,
            "photons": round(self.photons),
            "electronic_photons": round(self.electronic, 1),
            "scatter": 0.0 if scatter is None else round(scatter.amount, 4),
            "scatter_corrected": 0.0 if scatter is None else round(scatter.corrected, 2),
            "motion_mm": 0.0 if motion is None else round(10 * motion.amplitude, 2),
            "kernel": self.scanner.kernel,
            "truncated_bins": self.scanner.truncated_bins,
        }


PROTOCOLS = {"adn": Protocol(adn()), "syndeeplesion": Protocol(syndeeplesion())}
"""The published protocols by name; `physics.machines` has those whose settings are drawn."""
