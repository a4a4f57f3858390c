"""NIfTI, MetaImage and NRRD through SimpleITK: .nii, .nii.gz, .mha, .mhd and .nrrd.

Slices are the third image axis (k), which is axis 0 of the array. SimpleITK states geometry in
LPS millimetres for every one of these formats.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import SimpleITK as sitk  # noqa: N813  (the name its documentation uses)

from unmetal.errors import InputError, short_error, suppress_c_stderr
from unmetal.files.derivation import Derivation
from unmetal.files.formats import SUFFIXES, suffix_of
from unmetal.files.hounsfield import read_back, to_hu, to_stored
from unmetal.files.nifti_checks import alone, require_complete
from unmetal.scan import Volume

MARK = "made by unmetal: "
"""How the note in the header begins that says so."""

NOTE = "ITK_FileNotes"
"""ITK's name for a header's free text: `descrip` of NIfTI, and a field of its own elsewhere."""

log = logging.getLogger("unmetal")


@dataclass(frozen=True, eq=False)
class Grid:
    """What the file held, apart from its name."""

    stored: np.ndarray
    """`[slices H W]`, or `[H W]` of a 2-D image, in the file's own number type."""

    spacing: tuple[float, ...]
    """mm along (i, j, k), as ITK orders them."""

    origin: tuple[float, ...]
    """mm, LPS."""

    direction: tuple[float, ...]
    """Cosines, row by row, LPS."""

    texts: dict[str, str] = field(default_factory=dict)
    """The header's other fields."""

    compressed: bool = False
    """Whether the file's data were compressed."""

    suffix: str = ".nii.gz"
    """The format, for an output whose name does not say."""

    form: ClassVar[str] = "itk"

    def read_back(self, hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `unmetal.files.as_stored`."""
        stored = self.stored.reshape(hu.shape)
        both = [read_back(one, before) for one, before in zip(hu, stored, strict=True)]
        return np.stack([back for back, _ in both]), np.array([clipped for _, clipped in both])


def read(path: Path, spacing: float | None) -> Volume:
    """HU and geometry of a 3-D (or 2-D) image of one 16-bit or wider real number per voxel.

    Raises:
        InputError: truncated, four axes, colour, 8-bit.
    """
    suffix = suffix_of(path)
    if suffix.startswith(".nii"):
        require_complete(path)
    grid = _grid(_load(path), path, suffix)
    hu = to_hu(grid.stored).reshape(-1, *grid.stored.shape[-2:])
    *_, row, column = (1.0, *grid.spacing[1::-1])
    apart = grid.spacing[2] if len(grid.spacing) == 3 else 1.0
    return Volume(
        hu=hu,
        spacing=(apart, row, column),
        source=grid,
        meta={
            "format": suffix.lstrip("."),
            "stored_as": str(grid.stored.dtype),
            "warnings": _orientation(grid),
            "axial": not _orientation(grid),
            "made_by_unmetal": any(text.startswith(MARK) for text in grid.texts.values()),
        },
    )


def write(volume: Volume, path: Path, derivation: Derivation) -> None:
    """The same grid, number type and header with other values."""
    grid = volume.source or _plain(volume)
    before = grid.stored
    stored, clipped = to_stored(volume.hu.reshape(before.shape), before)
    if clipped:
        log.warning("%s: %d values do not fit %s and were clipped", path, clipped, stored.dtype)
    _save(_image(stored, _marked(grid, derivation)), path, grid)


def blank(grid: Grid) -> Grid:
    """The difference in which nothing was changed: signed, as wide as its values need."""
    kind = grid.stored.dtype
    if kind.kind in "iu":
        kind = np.dtype(np.int16 if kind.itemsize <= 2 else np.int32)
    return replace(grid, stored=np.zeros(grid.stored.shape, kind))


def write_mask(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """The same grid with 1 where `mask`, bool `[slices H W]`, is True, else 0; 8 bits, compressed
    where the format can."""
    grid = replace(volume.source or _plain(volume), compressed=True)
    stored = mask.astype(np.uint8).reshape(grid.stored.shape)
    _save(_image(stored, _marked(grid, derivation)), path, grid)


def _marked(grid: Grid, derivation: Derivation) -> Grid:
    """The grid with who made it in front of the header's note, of which NIfTI has one of 79
    characters."""
    begin = MARK if derivation.reduced else "simulated by unmetal: "
    said = f"{begin}{derivation.method[:24]}, research only; {grid.texts.get(NOTE, '')}"
    return replace(grid, texts=grid.texts | {NOTE: said[:79].rstrip("; ")})


def _image(stored: np.ndarray, grid: Grid) -> sitk.Image:
    image = sitk.GetImageFromArray(stored)
    image.SetSpacing(grid.spacing)
    image.SetOrigin(grid.origin)
    image.SetDirection(grid.direction)
    for key, text in grid.texts.items():
        image.SetMetaData(key, text)
    return image


def _load(path: Path) -> sitk.Image:
    reader = sitk.ImageFileReader()
    try:
        with suppress_c_stderr(), alone(path) as lonely:
            reader.SetFileName(str(lonely))
            reader.ReadImageInformation()
            _require_slices(reader, path)
            return reader.Execute()
    except RuntimeError as error:
        # MetaIO calls voxels that are cut short "no such file".
        reason = short_error(error).replace(
            "Reason: No such file or directory", "voxels are missing"
        )
        raise InputError(f"{path}: not a complete {suffix_of(path)} image: {reason}") from error


def _require_slices(reader: sitk.ImageFileReader, path: Path) -> None:
    """Raise InputError for headers of what is not a stack of CT slices."""
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    size = reader.GetSize()
    if len(size) not in {2, 3}:
        raise InputError(f"{path}: has {len(size)} axes {size}: give a 3-D image")
    if reader.GetNumberOfComponents() != 1 or "complex" in kind:
        raise InputError(f"{path}: holds colours or vectors ({kind}): give one HU per voxel")
    if "8-bit" in kind:
        raise InputError(f"{path}: holds {kind}s: give HU as 16-bit or wider numbers")


def _grid(image: sitk.Image, path: Path, suffix: str) -> Grid:
    with path.open("rb") as file:
        header = file.read(4096)
    return Grid(
        stored=sitk.GetArrayFromImage(image),
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=image.GetDirection(),
        texts=_texts(image),
        compressed=b"CompressedData = True" in header or b"encoding: gz" in header,
        suffix=suffix,
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


def _orientation(grid: Grid) -> list[str]:
    """A warning where the slices are not axial: streaks run within axial slices only."""
    along = [abs(cosine) for cosine in grid.direction[2::3]]
    if len(along) < 3 or along[2] == max(along):
        return []
    plane = ("sagittal", "coronal")[along.index(max(along))]
    return [f"slices are {plane}, but artifacts lie in axial ones: re-orient the image first"]


def _plain(volume: Volume) -> Grid:
    """The grid of a volume made in memory: float32, axes along the patient's."""
    # NaN equals nothing, so that every value is taken from the volume.
    unset = np.full(volume.hu.shape, np.nan, np.float32)
    return Grid(unset, volume.spacing[::-1], (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def _save(image: sitk.Image, path: Path, grid: Grid) -> None:
    """Write under `path`; where its suffix names no format, under the source's, then rename."""
    suffix = suffix_of(path)
    named = path if SUFFIXES.get(suffix) == "itk" else path.with_name(path.name + grid.suffix)
    if suffix == "" and grid.suffix == ".mhd":
        raise InputError(f"{path.name}: end the name of the output in .mhd")
    try:
        with suppress_c_stderr():
            sitk.WriteImage(image, str(named), useCompression=grid.compressed)
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be written: {short_error(error)}") from error
    named.replace(path)
