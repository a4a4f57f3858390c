"""Simulated slices, written as a series or with everything that is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from unmetal.errors import InputError, short_error
from unmetal.files import Derivation, check_output, write
from unmetal.files.header import dicom_headers
from unmetal.files.staging import refuse_overwrite, staged
from unmetal.scan import Volume
from unmetal.software import software


def check_simulated(volume: Volume, path: Path, size: tuple[int, int], *, force: bool) -> None:
    """Refuse early what `write_simulated` would refuse; `size` is (H, W) of the simulation.

    Raises:
        InputError: as `unmetal.files.check_output`, or a series whose matrix would change.
    """
    if path.suffix.lower() == ".npz":
        refuse_overwrite(path, folder=False, source=volume.path, force=force)
    else:
        like = _resized(volume, np.zeros((len(volume.hu), *size), np.float32))
        check_output(like, path, force=force)


def simulated(method: str, how: str, image: np.ndarray, weights: str = "") -> Derivation:
    """What the header of a series with an artifact put into it says.

    The description ends with a hash of the image, HU `[slices H W]`, and UIDs follow from it:
    another seed, mask or affected series makes other objects. weights: sha256 of those used.
    """
    pixels = hashlib.sha256(image.tobytes()).hexdigest()[:12]
    said = f"SIMULATED metal artifact, not the patient's: {how}, by {software()}, pixels {pixels}"
    return Derivation(method, f"{said}. RESEARCH USE ONLY.", kind="SIMULATED", weights=weights)


def write_simulated(
    volume: Volume, arrays: Mapping[str, np.ndarray], path: Path, *, how: str, force: bool
) -> None:
    """Write `arrays["image"]` (HU `[slices H W]`) as a series, or all of them as `.npz`.

    how: protocol, metal and seed in words, for the header.

    Raises:
        InputError: as `check_simulated`.
    """
    image = arrays["image"].astype(np.float32)
    if path.suffix.lower() != ".npz":
        done = simulated("simulate", how, image)
        write(_resized(volume, image), path, force=force, derivation=done)
        return
    refuse_overwrite(path, folder=False, source=volume.path, force=force)
    try:
        with staged(path, force=force) as target:
            everything: dict[str, Any] = {**arrays, "spacing_mm": _spacing(volume, image)}
            np.savez_compressed(target, **everything)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {short_error(error)}") from error


def _spacing(volume: Volume, image: np.ndarray) -> np.ndarray:
    """(slice, row, column) in mm: the field of view stays."""
    # Fewer pixels over the same field of view are larger; slices stay as far apart.
    factor = np.array([1, *(np.array(volume.hu.shape[1:]) / image.shape[1:])])
    return np.array(volume.spacing) * factor


def _resized(volume: Volume, image: np.ndarray) -> Volume:
    """The volume with other values; one of another matrix has no header to return to."""
    if image.shape == volume.hu.shape:
        return volume.with_hu(image)
    if dicom_headers(volume):
        raise InputError(
            f"{volume.path}: a DICOM series keeps its matrix: add --native, or write an .npz"
        )
    z, y, x = _spacing(volume, image)
    return replace(volume, hu=image, spacing=(z, y, x), source=None, padding=None)
