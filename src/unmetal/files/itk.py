"""MetaImage and NRRD through SimpleITK, the extra `itk`: .mha, .mhd and .nrrd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813  (the name its documentation uses)

from unmetal.errors import InputError, short_error, suppress_c_stderr
from unmetal.files.derivation import Derivation
from unmetal.files.formats import SUFFIXES, suffix_of
from unmetal.files.grid import (
    MARK,
    Grid,
    require_numbers,
    to_grid,
    to_mask_grid,
    to_volume,
    zero_difference,
)
from unmetal.scan import Volume

__all__ = ["read", "read_labels", "write", "write_mask", "zero_difference"]

NOTE = "ITK_FileNotes"
"""ITK's name for the free text of a header."""


def read(path: Path, spacing: float | None) -> Volume:
    """HU and geometry of a 3-D (or 2-D) image of one 16-bit or wider real number per voxel.

    Raises `InputError` for what is truncated, or has four axes, colour or 8 bits.
    """
    return to_volume(_grid(_load(path), path))


def read_labels(path: Path) -> Grid:
    """A mask, with its geometry: as `read`, but of numbers of any width."""
    return _grid(_load(path, labels=True), path)


def write(volume: Volume, path: Path, derivation: Derivation) -> None:
    """The same grid, number type and header with other values."""
    _save(to_grid(volume, derivation, path), path)


def write_mask(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """1 where `mask`, bool `[slices H W]`, is True, else 0, in 8 bits."""
    _save(to_mask_grid(volume, mask, derivation), path)


def _load(path: Path, *, labels: bool = False) -> sitk.Image:
    reader = sitk.ImageFileReader()
    try:
        with suppress_c_stderr():
            reader.SetFileName(str(path))
            reader.ReadImageInformation()
            kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
            vector = "vector of " if reader.GetNumberOfComponents() != 1 else ""
            require_numbers(path, vector + kind, len(reader.GetSize()), labels=labels)
            return reader.Execute()
    except RuntimeError as error:
        # MetaIO calls voxels that are cut short "no such file".
        reason = short_error(error)
        reason = reason.replace("Reason: No such file or directory", "voxels are missing")
        raise InputError(f"{path}: not a complete {suffix_of(path)} image: {reason}") from error


def _grid(image: sitk.Image, path: Path) -> Grid:
    with path.open("rb") as file:
        header = file.read(4096)
    texts = _texts(image)
    # Of a NIfTI file that others converted, the note lies in a field `descrip`.
    own = [text for text in texts.values() if text.startswith(MARK)]
    return Grid(
        stored=sitk.GetArrayFromImage(image),
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=image.GetDirection(),
        note=(own or [texts.get(NOTE, "")])[0],
        header=texts,
        compressed=b"CompressedData = True" in header or b"encoding: gz" in header,
        suffix=suffix_of(path),
    )


def _texts(image: sitk.Image) -> dict[str, str]:
    """The fields that came from the file: ITK adds some, and would write them into it.

    Those that are no UTF-8 are left out, for SimpleITK can read but not write them.
    """
    keys = [key for key in image.GetMetaDataKeys() if _is_text(key)]
    own = [key for key in keys if key == NOTE or not key.startswith("ITK_")]
    texts = {key: image.GetMetaData(key) for key in own}
    return {key: text for key, text in texts.items() if _is_text(text)}


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _save(grid: Grid, path: Path) -> None:
    """Write under `path`; where its suffix names no format, under the source's, then rename."""
    suffix = suffix_of(path)
    named = path if SUFFIXES.get(suffix) == "itk" else path.with_name(path.name + grid.suffix)
    if suffix == "" and grid.suffix == ".mhd":
        raise InputError(f"{path.name}: end the name of the output in .mhd")
    try:
        with suppress_c_stderr():
            sitk.WriteImage(_image(grid), str(named), useCompression=grid.compressed)
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be written: {short_error(error)}") from error
    named.replace(path)


def _image(grid: Grid) -> sitk.Image:
    # These formats have no slope and intercept: scaled numbers of NIfTI become HU, float32.
    scaled = (grid.slope, grid.intercept) != (1.0, 0.0)
    image = sitk.GetImageFromArray(grid.hu if scaled else grid.stored)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    texts = grid.header if isinstance(grid.header, dict) else {}
    for key, text in (texts | {NOTE: grid.note}).items():
        image.SetMetaData(key, text)
    return image
