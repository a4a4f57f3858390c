"""A cohort: slices of many patients in one file, with who they are and what each is used for.

All slices of a cohort fit in memory (385 slices of 256 x 256 are 50 MB), and metal is put in on
the training device while training runs, so there is nothing to read from disk at every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unmetal.errors import InputError

ROLES = ("affected", "clean", "validation")
"""What a slice is used for. Slices of one patient all have the same role."""


IN_MM = ("pixel", "frame", "made_of")
"""Fields of `Cohort` that older files lack."""


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
    """bool `[M]`: the shape is a whole frame with metal where it belongs; else one piece of
    metal that fills the frame and can go anywhere."""

    pixel: np.ndarray | None = None
    """float32 `[N]`, mm: the pixel of each slice. None in files of before there were machines in
    mm, which such machines refuse."""

    frame: np.ndarray | None = None
    """float32 `[M]`, mm: the side of each whole frame; 0 for pieces."""

    made_of: np.ndarray | None = None
    """str `[M]`: what such an implant is made of, names in `physics.beam.attenuation.MATERIALS`
    with spaces between; empty where it can be anything."""

    def __post_init__(self) -> None:
        homes: dict[str, str] = {}
        for patient, role in zip(self.patient.tolist(), self.role.tolist(), strict=True):
            if role not in ROLES:
                raise InputError(f"role {role!r} of patient {patient}; it must be one of {ROLES}")
            if homes.setdefault(patient, role) != role:
                raise InputError(f"patient {patient} is both {homes[patient]} and {role}")

    def having(self, role: str) -> np.ndarray:
        """int `[n]`: the slices of a role, at least one."""
        found = np.flatnonzero(self.role == role)
        if not len(found):
            raise InputError(f"the cohort has no {role} slices")
        return found

    def in_mm(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`pixel`, `frame` and `made_of`; raises `InputError` where the cohort lacks them."""
        if self.pixel is None or self.frame is None or self.made_of is None:
            raise InputError(
                "the cohort has no pixel sizes, which a machine in mm needs:"
                " make it again with recipes/syn_cohort.py"
            )
        return self.pixel, self.frame, self.made_of

    def save(self, path: Path) -> None:
        """Write everything into one compressed `.npz`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fields = {name: getattr(self, name) for name in self.__annotations__}
        np.savez_compressed(path, **{k: v for k, v in fields.items() if v is not None})

    @classmethod
    def load(cls, path: Path) -> Cohort:
        """Read what `save` wrote; `path` is the file, or a folder that holds it as `cohort.npz`.

        Raises `InputError` if it is not there or is something else.
        """
        path = path / "cohort.npz" if path.is_dir() else path
        try:
            with np.load(path, allow_pickle=False) as held:
                known = [n for n in cls.__annotations__ if n not in IN_MM or n in held]
                return cls(**{name: held[name] for name in known})
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"{path}: not a cohort ({error}); recipes/syn_cohort.py makes one"
            ) from error
