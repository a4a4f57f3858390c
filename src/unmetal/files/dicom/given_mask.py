"""A mask that is given as a DICOM object: a segmentation (SEG) or a structure set (RTSTRUCT).

Both belong to a series by its frame of reference, and lie in it by coordinates of the patient.
Segmentations: DICOM PS3.3 section C.8.20, and the functional groups of C.7.6.16.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from unmetal.errors import InputError, short_error
from unmetal.files.dicom.entries import Entry, entries
from unmetal.files.dicom.metal_names import metal_names
from unmetal.files.dicom.reading import Series, load_dataset, tolerant
from unmetal.files.dicom.structure_set import require_frame, roi_mask
from unmetal.files.slice_planes import SlicePlanes, planes_of
from unmetal.scan import Volume

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage, which pydicom 3.0 has no name for."""

MASKS = {str(SegmentationStorage), LABEL_MAP, str(RTStructureSetStorage)}
"""SOP classes that can hold a mask."""

log = logging.getLogger("unmetal")


def read_mask(path: Path, volume: Volume) -> np.ndarray:
    """bool `[slices H W]` on the grid of `volume`, a DICOM series; says in the log what was taken.

    path: the object, or a folder or zip with one such object.
    Raises `InputError` for none or several, and for one that does not fit the series.
    """
    if not isinstance(volume.source, Series):
        raise InputError(
            f"{path}: a DICOM mask fits a DICOM series only, and {volume.path} is none: give the "
            "mask in the format of the series"
        )
    planes = planes_of(volume)
    if planes is None:
        raise InputError(f"{volume.path}: its slices have no position: give the mask as .npy")
    with tolerant(), entries(path) as (_, found):
        entry, kind = _the_mask(found, path)
        try:
            dataset = load_dataset(entry, pixels=True)
            if kind == RTStructureSetStorage:
                return roi_mask(dataset, volume, planes, str(path))
            return _segments_mask(dataset, volume, planes, str(path))
        except InputError:
            raise
        except Exception as error:  # pydicom raises many kinds where a value makes no sense
            raise InputError(f"{path}: a damaged mask: {short_error(error)}") from error


def _the_mask(found: list[Entry], path: Path) -> tuple[Entry, str]:
    """The one object among the files that can hold a mask, and its SOP class."""
    kinds = [(entry, str(load_dataset(entry, pixels=False).get("SOPClassUID"))) for entry in found]
    masks = [(entry, kind) for entry, kind in kinds if kind in MASKS]
    if len(masks) != 1:
        count = f"holds {len(masks)} of them" if masks else "is neither"
        raise InputError(f"{path}: a mask is one DICOM SEG or RTSTRUCT, and this {count}")
    return masks[0]


def _segments_mask(dataset: Dataset, volume: Volume, planes: SlicePlanes, where: str) -> np.ndarray:
    """The segments that speak of metal, or all of them."""
    require_frame([str(dataset.get("FrameOfReferenceUID", ""))], volume, where)
    segments = list(dataset.SegmentSequence)
    metal = metal_names([_segment_name(segment) for segment in segments])
    chosen = [segments[place] for place in metal] or segments
    numbers = [int(segment.SegmentNumber) for segment in chosen]
    frames = list(_frames(dataset, numbers, planes, where))
    mask = planes.mask(np.concatenate([np.zeros((0, 3)), *frames]), volume.hu.shape, where)
    labels = ", ".join(str(segment.get("SegmentLabel")) for segment in chosen)
    log.info("%s: %d of %d segments are metal: %s", where, len(chosen), len(segments), labels)
    return mask


def _segment_name(segment: Dataset) -> str:
    """The label of a segment and the meanings of its codes."""
    codes = [
        item.get("CodeMeaning", "")
        for keyword in (
            "SegmentedPropertyTypeCodeSequence",
            "SegmentedPropertyCategoryCodeSequence",
        )
        for item in segment.get(keyword) or ()
    ]
    return ", ".join([str(segment.get("SegmentLabel", "")), *map(str, codes)])


def _frames(
    dataset: Dataset, chosen: list[int], planes: SlicePlanes, where: str
) -> Iterator[np.ndarray]:
    """Of each frame the centers of the pixels of the chosen segments, float `[n 3]`, mm."""
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    # Fractions of a voxel, or probabilities, count from a half.
    fractional = dataset.get("SegmentationType") == "FRACTIONAL"
    enough = int(dataset.get("MaximumFractionalValue") or 255) / 2 if fractional else 0
    labels = dataset.SOPClassUID == LABEL_MAP
    shared = dataset.SharedFunctionalGroupsSequence[0]
    checked = set()
    for frame, groups in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        if labels:
            inside = np.isin(frame, chosen)
        else:
            segment = _group(groups, shared, "SegmentIdentificationSequence")
            inside = (frame > enough) & (int(segment.ReferencedSegmentNumber) in chosen)
        position = _group(groups, shared, "PlanePositionSequence").ImagePositionPatient
        cosines = _group(groups, shared, "PlaneOrientationSequence").ImageOrientationPatient
        between_rows, between_columns = _group(groups, shared, "PixelMeasuresSequence").PixelSpacing
        row, column = np.array(cosines, float).reshape(2, 3)
        axes = np.stack([row * float(between_columns), column * float(between_rows)])
        if axes.tobytes() not in checked:
            planes.require_same_voxels(axes, where)
            checked.add(axes.tobytes())
        # (row, column) -> (column, row), the order of the axes.
        yield np.array(position, float) + np.argwhere(inside)[:, ::-1] @ axes


def _group(groups: Dataset, shared: Dataset, keyword: str) -> Dataset:
    """A functional group of a frame, or the one that all frames share."""
    return (groups.get(keyword) or shared[keyword].value)[0]
