"""Pairs on disk: a simulated slice with implants, the same without, and what in it is metal."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from unmetal.errors import InputError


@dataclass(frozen=True)
class Pair:
    """One pair; its slices are int16 `[H W]`, HU."""

    image: np.ndarray
    """With metal, artifacts and noise."""
    truth: np.ndarray
    """Scanned by the same machine without metal and without noise."""
    free: np.ndarray
    """Without metal and with noise."""
    share: np.ndarray
    """Share of each pixel that is metal, uint8 `[H W]`, 255 for all of it."""
    painted: np.ndarray
    """What was painted after the scan and looks like metal, bool `[H W]`."""
    pixel: np.ndarray
    """mm, float32."""
    info: dict[str, Any]
    """Kinds, materials, the machine's settings, whose slice it is."""

    def save(self, path: Path) -> None:
        """Write a compressed `.npz`, whole or not at all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        partial = path.with_suffix(".partial")
        # A file and not its name, to which numpy would add a suffix.
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays | {"info": json.dumps(self.info)})
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Pair":
        """Read what `save` wrote; raises `InputError` if it is something else."""
        try:
            with np.load(path, allow_pickle=False) as held:
                arrays = {field.name: held[field.name] for field in fields(cls)}
            return cls(**arrays | {"info": json.loads(str(arrays["info"]))})
        except (OSError, KeyError, ValueError) as error:
            how = "recipes/prior_pairs.py makes them"
            raise InputError(f"{path}: not a pair ({error}); {how}") from error
