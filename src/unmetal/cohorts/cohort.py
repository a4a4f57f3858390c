"""A cohort in one file: clean slices of many patients, their roles, and shapes of metal.

All slices of a cohort fit in memory (385 slices of 256 x 256 are 50 MB), and metal is put in on
the training device while training runs, so nothing is read from disk at each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unmetal.errors import InputError

ROLES = ("affected", "clean", "validation")
"""What a slice is used for. All slices of a patient have the same role."""


@dataclass(frozen=True)
class SliceTransform:
    """A slice and its augmentation."""

    slice: int
    flip: bool = False
    zoom: float = 1.0
    rotation: float = 0.0


@dataclass(frozen=True)
class Cohort:
    """Metal-free slices to learn from, and shapes of metal to put into them."""

    hu: np.ndarray
    """int16 `[N H W]`, HU."""
    patient: np.ndarray
    """str `[N]`."""
    role: np.ndarray
    """str `[N]`, each one of `ROLES`."""
    shapes: np.ndarray
    """uint8 `[M S S]`: share of each pixel that is metal, 255 for all of it."""
    whole: np.ndarray
    """bool `[M]`: the shape is a whole frame with metal where it belongs; else a component, one
    piece of metal that fills the image and can go anywhere."""
    pixel: np.ndarray
    """float32 `[N]`, mm: the pixel of each slice."""
    frame: np.ndarray
    """float32 `[M]`, mm: the side of each whole frame; 0 for components, and where it is unknown,
    which scanners in mm refuse."""
    made_of: np.ndarray
    """str `[M]`: possible materials, names in `physics.beam.attenuation.MATERIALS` with spaces
    between; empty where any will do."""

    def __post_init__(self) -> None:
        roles: dict[str, str] = {}
        for patient, role in zip(self.patient.tolist(), self.role.tolist(), strict=True):
            if role not in ROLES:
                raise InputError(f"role {role!r} of patient {patient}; it must be one of {ROLES}")
            if roles.setdefault(patient, role) != role:
                raise InputError(f"patient {patient} is both {roles[patient]} and {role}")

    def slices_of(self, role: str) -> np.ndarray:
        """int `[n]`: the slices of a role, at least one; raises `InputError` for none."""
        found = np.flatnonzero(self.role == role)
        if not len(found):
            raise InputError(f"the cohort has no {role} slices")
        return found

    def save(self, path: Path) -> None:
        """Write everything into one compressed `.npz`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{name: getattr(self, name) for name in self.__annotations__})

    @classmethod
    def load(cls, path: Path) -> Cohort:
        """Read what `save` wrote; `path` is the file, or a folder that holds it as `cohort.npz`.

        Raises `InputError` if it is not there or is something else.
        """
        path = path / "cohort.npz" if path.is_dir() else path
        try:
            with np.load(path, allow_pickle=False) as held:
                return cls(**{name: held[name] for name in cls.__annotations__})
        except (OSError, KeyError, ValueError) as error:
            how = "recipes/syn_cohort.py makes one"
            raise InputError(f"{path}: not a cohort ({error}); {how}") from error


def sampling_weights(patients: np.ndarray, by_patient: bool) -> np.ndarray:
    """The probability of each slice, float64 `[n]`, given its patient, str `[n]`.

    by_patient: a patient weighs the square root of the number of his slices; else all are alike.
    """
    _, which, count = np.unique(patients, return_inverse=True, return_counts=True)
    weights = count[which] ** (-0.5 if by_patient else 0.0)
    return weights / weights.sum()
