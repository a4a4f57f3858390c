"""NumPy's .npy: HU as `[H W]` or `[slices H W]`, of any real number type; float32 goes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from unmetal.errors import InputError, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.hounsfield import pixel_size, to_hu
from unmetal.scan import Volume


@dataclass(frozen=True)
class Array:
    """The source record of an .npy."""

    shape: tuple[int, ...]
    """`(H, W)` or `(slices, H, W)`."""

    format: ClassVar[str] = "npy"

    def read_back(self, hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `unmetal.files.as_stored`: floats hold everything."""
        return hu, np.zeros(len(hu), int)


def load_array(path: Path) -> np.ndarray:
    """The array in an .npy file, without executing anything in it; raises `InputError` for what is
    truncated or holds objects."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except OSError:
        raise
    except Exception as error:  # NumPy parses the header as Python: any error of the parser
        raise InputError(f"{path}: not a complete .npy of numbers: {short_error(error)}") from error


def read(path: Path, spacing: float | None) -> Volume:
    """HU from an .npy file; nothing in it is ever executed.

    Raises `InputError` for what is truncated, and all but real numbers on two or three axes.
    """
    values = _checked(load_array(path), path)
    size, warnings = pixel_size(values.shape[-1], spacing)
    return Volume(
        hu=to_hu(values).reshape(-1, *values.shape[-2:]),
        spacing=(size, size, size),
        spacing_known=not warnings,
        source=Array(values.shape),
        meta={"format": "NumPy array", "stored_as": str(values.dtype), "warnings": warnings},
    )


def write(volume: Volume, path: Path, derivation: Derivation) -> None:
    """float32 HU in the shape that was read."""
    shape = volume.hu.shape if volume.source is None else volume.source.shape
    with path.open("wb") as file:
        np.save(file, volume.hu.astype(np.float32).reshape(shape), allow_pickle=False)


def zero_difference(source: Array) -> Array:
    """The source record of a difference of 0 HU: floats of the same shape."""
    return source


def write_mask(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """bool in the shape that was read; `mask` is bool `[slices H W]`."""
    shape = mask.shape if volume.source is None else volume.source.shape
    with path.open("wb") as file:
        np.save(file, mask.reshape(shape), allow_pickle=False)


def _checked(values: object, path: Path) -> np.ndarray:
    if not isinstance(values, np.ndarray):
        raise InputError(f"{path}: holds several arrays: give an .npy with one array of HU")
    if values.dtype.kind not in "iuf" or values.dtype.itemsize == 1:
        raise InputError(
            f"{path}: holds {values.dtype} numbers: give HU as 16-bit or wider integers or floats"
        )
    if values.ndim not in {2, 3} or not values.size:
        raise InputError(f"{path}: has shape {values.shape}: give [H W] or [slices H W]")
    if values.ndim == 3 and values.shape[2] <= 4 < values.shape[1]:
        raise InputError(
            f"{path}: has shape {values.shape}, as a colour picture: give [slices H W]"
        )
    return values
