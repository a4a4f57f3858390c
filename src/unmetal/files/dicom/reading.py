"""A classic CT series -> `Volume`, sorted by position."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydicom import config, dcmread
from pydicom.dataset import Dataset

from unmetal.errors import InputError, short_error
from unmetal.files.dicom import pixels
from unmetal.files.dicom.entries import Entry, Layout, entries, refuse_inflation_bomb
from unmetal.files.dicom.provenance import made_by_unmetal
from unmetal.files.dicom.stack import Header, Stack, select_series, stack
from unmetal.files.hounsfield import pixel_size, read_back, to_hu
from unmetal.scan import Volume

META_KEYWORDS = {
    "modality": "Modality",
    "manufacturer": "Manufacturer",
    "model": "ManufacturerModelName",
    "kvp": "KVP",
    "kernel": "ConvolutionKernel",
    "exposure": "Exposure",
    "tube_current": "XRayTubeCurrent",
    "filter": "FilterType",
    "slice_thickness": "SliceThickness",
    "reconstruction_diameter": "ReconstructionDiameter",
    "body_part": "BodyPartExamined",
    "patient_position": "PatientPosition",
    "series_number": "SeriesNumber",
    "series_description": "SeriesDescription",
    "series_uid": "SeriesInstanceUID",
    "study_uid": "StudyInstanceUID",
    "burned_in": "BurnedInAnnotation",
    "lossy": "LossyImageCompression",
}
"""Plain name in `Volume.meta` -> DICOM keyword; mm, kV, mA and mAs as in the standard."""


@dataclass(frozen=True, eq=False)
class Slice:
    """The source record of one image."""

    name: str
    """Relative to the folder or archive."""

    header: Dataset
    """Everything but the pixels; read only."""

    stored: np.ndarray
    """`[H W]`."""

    slope: float
    intercept: float

    def scale(self) -> tuple[tuple[int, int], float, float]:
        """Lowest and highest number that the header allows, slope and intercept in HU."""
        return pixels.stored_limits(self.header), self.slope, self.intercept


@dataclass(frozen=True, eq=False)
class Series:
    """The source record of a series, in the order of `Volume.hu`."""

    slices: tuple[Slice, ...]
    layout: Layout

    format: ClassVar[str] = "dicom"

    def read_back(self, hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `unmetal.files.as_stored`."""
        pairs = zip(hu, self.slices, strict=True)
        both = [read_back(one, before.stored, *before.scale()) for one, before in pairs]
        return np.stack([back for back, _ in both]), np.array([clipped for _, clipped in both])


def read(path: Path, spacing: float | None, only: Iterable[str] | None = None) -> Volume:
    """The one CT series in a folder (with its sub-folders), zip or file.

    only: of a folder, no other files than these, relative to it; they are renamed by `renumbered`.
    Raises `InputError`: see `entries`, `select_series`, `stack`, `pixels`.
    """
    with stacked_series(path, only) as (layout, stacked, aside):
        ordered = [header.entry for header in stacked.headers]
        slices = tuple(map(read_slice, ordered if only is None else renumbered(ordered)))
        return _volume(Series(slices, layout), stacked, aside, spacing)


@contextmanager
def stacked_series(
    path: Path, only: Iterable[str] | None = None
) -> Iterator[tuple[Layout, Stack, list[str]]]:
    """How the files lie, the headers of the one CT series among them in order, and a warning about
    other files. No pixel is read yet: `read_slice` does that, while the context is open.

    Raises `InputError` as `read`; also where a value that is asked for in the context makes no
    sense.
    """
    with tolerant(), entries(path, only) as (layout, found):
        headers = [Header(entry, load_dataset(entry, pixels=False)) for entry in found]
        try:
            images, aside = select_series(headers, path)
            yield layout, stack(images, path), aside
        except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
            # pydicom turns text into numbers only when they are asked for, wherever that is; what
            # it does not know (a tag's VR, say) it answers with NotImplementedError.
            raise InputError(
                f"{path}: a header value makes no sense: {short_error(error)}"
            ) from error


def renumbered(found: list[Entry]) -> list[Entry]:
    """The same files named by their place in the series, `0001.dcm`: names in an archive may
    identify patients."""
    return [replace(entry, name=f"{place:04d}.dcm") for place, entry in enumerate(found, 1)]


@contextmanager
def tolerant() -> Iterator[None]:
    """Let pydicom read and write values that break the standard's rules, without warnings."""
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def load_dataset(entry: Entry, *, pixels: bool) -> Dataset:
    """A file's data set, with or without its pixels; raises `InputError` for a damaged one."""
    try:
        with entry.open() as file:
            refuse_inflation_bomb(file, entry.where)
            return dcmread(file, stop_before_pixels=not pixels)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{entry.where}: damaged or truncated DICOM: {short_error(error)}"
        ) from error


def read_slice(entry: Entry) -> Slice:
    """One image, decoded; raises `InputError`."""
    dataset = load_dataset(entry, pixels=True)
    stored = pixels.decode(dataset, entry.where)
    slope, intercept = pixels.slope_intercept(dataset, entry.where)
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.buffer = None
    return Slice(entry.name, dataset, stored, slope, intercept)


def _volume(series: Series, stacked: Stack, aside: list[str], spacing: float | None) -> Volume:
    first = series.slices[0].header
    row, column, assumed = pixel_spacing(first, spacing)
    distance = stacked.distance or thickness(first)
    return Volume(
        hu=np.stack([to_hu(s.stored, s.slope, s.intercept) for s in series.slices]),
        spacing=(distance, row, column),
        spacing_known=not assumed,
        padding=np.stack([pixels.padding_mask(s.header, s.stored) for s in series.slices]),
        source=series,
        meta=_meta(series, stacked) | {"warnings": [*aside, *stacked.warnings, *assumed]},
    )


def pixel_spacing(header: Dataset, given: float | None) -> tuple[float, float, list[str]]:
    """mm between rows and between columns, and a warning if assumed."""
    stated = header.get("PixelSpacing")
    if stated and all(float(mm) > 0 for mm in stated):
        return float(stated[0]), float(stated[1]), []
    size, warning = pixel_size(int(header.Columns), given)
    return size, size, warning


def thickness(header: Dataset) -> float:
    """mm to the next slice by the header of a single image; 1 mm where it does not say."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        if header.get(keyword):
            return abs(float(header[keyword].value)) or 1.0
    return 1.0


def _meta(series: Series, stacked: Stack) -> dict[str, Any]:
    first = series.slices[0]
    syntax = first.header.file_meta.TransferSyntaxUID
    known = {name: first.header.get(keyword) for name, keyword in META_KEYWORDS.items()}
    return {name: _plain(value) for name, value in known.items() if value not in (None, "")} | {
        "format": f"DICOM {series.layout}",
        "stored_as": f"{first.header.get('BitsStored')} bits, {syntax.name}",
        "tilt": stacked.tilt,
        "axial": stacked.axial,
        "image_type": tuple(map(str, first.header.get("ImageType") or ())),
        "made_by_unmetal": any(made_by_unmetal(s.header) for s in series.slices),
    }


def _plain(value: Any) -> Any:
    """Python's own types: numbers as float, texts as str, several texts joined."""
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, str):
        return str(value)
    return " ".join(map(str, value)) if hasattr(value, "__iter__") else float(value)
