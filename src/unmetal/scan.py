"""The two records: `Volume` is what files hold, `Scan` is what methods see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from unmetal.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

AIR_HU = -1000.0

Progress = Callable[[int, int], None]
"""Called with (slices done, slices to do)."""


@dataclass(frozen=True)
class Volume:
    """A CT series in Hounsfield units, with what its file format needs to give it back.

    Slices are sorted along the normal of the image plane; a single slice is a volume of one.
    """

    hu: np.ndarray
    """float32 `[slices H W]`, HU."""
    spacing: tuple[float, float, float]
    """mm between voxel centers along (slice, row, column), in the order of `hu`'s axes."""
    spacing_known: bool = True
    """False where the format states no pixel size and a default was assumed."""
    padding: np.ndarray | None = None
    """bool `[slices H W]`, True where the scanner filled pixels outside its field of view."""
    source: Any = field(default=None, repr=False)
    """The reader's own record (header, stored integers): only the format's writer looks inside."""
    path: Path | None = None
    """Where it was read from."""
    meta: dict[str, Any] = field(default_factory=dict)
    """What the header says about the acquisition, under plain names (`modality`, `kvp`, ...)."""

    def with_hu(self, hu: np.ndarray) -> Volume:
        """The same series with other values: float `[slices H W]`, HU."""
        if hu.shape != self.hu.shape:
            raise ValueError(f"values of shape {hu.shape} do not fit a series of {self.hu.shape}")
        return replace(self, hu=np.asarray(hu, dtype=np.float32))

    def in_air(self) -> np.ndarray:
        """HU `[slices H W]` with air in place of padding."""
        if self.padding is None:
            return self.hu
        return np.where(self.padding, np.float32(AIR_HU), self.hu)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, ml."""
        return math.prod(self.spacing) / 1000

    @property
    def square_pixel(self) -> float:
        """Edge of a pixel, mm; raises `InputError` where pixels are not square."""
        _, row, column = self.spacing
        if abs(row - column) > 1e-3 * column:
            raise InputError(
                f"{self.path}: pixels are {row:g} x {column:g} mm; resample to square pixels first"
            )
        return float(column)


class Scanner(Protocol):
    """Projects images and reconstructs sinograms; `unmetal.physics.scanner.CT` implements it."""

    @property
    def pixel(self) -> float:
        """Edge of a pixel of its images, mm."""

    def project(self, image: Tensor) -> Tensor:
        """Line integrals `[B 1 V D]` of an image `[B 1 H W]`: attenuation in 1/cm becomes a
        dimensionless sinogram, a mask becomes path lengths in cm."""

    def trace(self, metal: Tensor) -> Tensor:
        """Rays that meet the metal: bool `[B 1 H W]` -> bool `[B 1 V D]`."""

    def reconstruct(self, sinogram: Tensor) -> Tensor:
        """Image `[B 1 H W]` in 1/cm from line integrals `[B 1 V D]`; linear in its argument."""


@dataclass(frozen=True)
class Scan:
    """A batch of slices as a method sees them, and whatever else is known about them.

    A field that is None is unknown. `unmetal.physics.derive.complete` fills in those that follow
    from the others: metal by threshold, the sinogram by re-projection, the trace from the metal.
    """

    image: Tensor
    """`[B 1 H W]`, 1/cm: the slices as they came, with artifacts."""
    scanner: Scanner | None = None
    """The geometry of `sinogram`, and the way back to the image."""
    metal: Tensor | None = None
    """bool `[B 1 H W]`."""
    sinogram: Tensor | None = None
    """`[B 1 V D]`, line integrals after water beam hardening correction. `image` is its
    reconstruction, or else it is the re-projection of `image`."""
    trace: Tensor | None = None
    """bool `[B 1 V D]`: rays that met metal."""
    clean: Tensor | None = None
    """`[B 1 H W]`, 1/cm: the truth, in simulation only."""
    other: Tensor | None = None
    """`[B 1 H W]`, 1/cm: clean slices of other patients, for unpaired learning."""
    other_scanned: Tensor | None = None
    """`[B 1 H W]`, 1/cm: what the scanner makes of `other`, noise and blur and no metal; in
    simulation only."""

    def measured(self) -> tuple[Scanner, Tensor, Tensor]:
        """The scanner, the sinogram `[B 1 V D]` and the trace, bool `[B 1 V D]`.

        Raises `ValueError` where one of them is unknown.
        """
        if self.scanner is None or self.sinogram is None or self.trace is None:
            raise ValueError("no scanner, sinogram or trace: see physics.derive.complete")
        return self.scanner, self.sinogram, self.trace
