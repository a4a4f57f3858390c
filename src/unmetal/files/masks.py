"""A mask of the metal, from a file of any format, on the grid of a series.

What states where it lies (DICOM, NIfTI, MetaImage, NRRD) is put there by its coordinates, and may
be cut to a part of the series, flipped, or have its axes in another order. Arrays and pictures
must have the shape of the series.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from unmetal.errors import InputError, short_error
from unmetal.files.formats import GRIDS, detect_format
from unmetal.files.grid import Grid
from unmetal.files.npy import load_array
from unmetal.files.npz import load_arrays, load_gray
from unmetal.files.outputs import format_module
from unmetal.files.slice_planes import frame_of, planes_of
from unmetal.scan import Volume

MOST_LABELS = 255
"""The largest number in a mask: what holds larger ones, or negative ones, is an image."""

log = logging.getLogger("unmetal")


def read_mask(path: Path, volume: Volume) -> np.ndarray:
    """bool `[slices H W]`: the metal that a file marks, on the grid of `volume`.

    path: DICOM SEG or RTSTRUCT for a DICOM series; .nii, .nii.gz, .mha, .mhd, .nrrd; .npy; .npz
        with `metal`, `masks` or one array; .png. Every number but 0 is metal; of segments and
        regions those that are named so, see `unmetal.files.dicom.given_mask`.

    Raises `InputError` for what cannot be read, does not fit the series, or marks nothing.
    """
    format = "npz" if path.suffix.lower() == ".npz" else detect_format(path)
    try:
        if format == "dicom":
            mask: np.ndarray = format_module(format, path).read_mask(path, volume)
        elif format in GRIDS:
            mask = _of_grid(format_module(format, path).read_labels(path), volume, path)
        else:
            mask = _of_shape(_marked(_array(format, path), path), volume, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {short_error(error)}") from error
    if not mask.any():
        raise InputError(f"{path}: marks no voxel, so there would be nothing to reduce")
    count = int(mask.any((1, 2)).sum())
    log.info("%s: marks metal in %d of %d slices", path, count, len(mask))
    return mask


def as_mask(values: object, shape: tuple[int, ...], where: str) -> np.ndarray:
    """bool of `shape`, `[slices H W]`: where an array of it, or `[H W]` of one slice, is not 0.

    Raises `InputError` about `where` for another shape, and for values that are no mask's.
    """
    array = _marked(np.asarray(values), where)
    if array.ndim == 2:
        array = array[None]
    if array.shape != shape:
        raise InputError(
            f"{where}: does not fit the series: has shape {array.shape}, and the series {shape} "
            "[slices H W]"
        )
    return array


def _of_shape(marked: np.ndarray, volume: Volume, path: Path) -> np.ndarray:
    return as_mask(marked, volume.hu.shape, str(path))


def _array(format: str, path: Path) -> np.ndarray:
    """The numbers of a format that states no geometry."""
    if format == "png":
        # As those of `unmetal simulate --masks`: programs that draw smooth the edges.
        gray = load_gray(path)
        return gray > gray.max() / 2
    if format == "npz":
        arrays = load_arrays(path)
        for name in ("metal", "masks"):
            if name in arrays:
                return arrays[name]
        if len(arrays) != 1:
            raise InputError(f"{path}: call the mask `metal`; there are: {', '.join(arrays)}")
        return next(iter(arrays.values()))
    return load_array(path)


def _marked(values: np.ndarray, where: Path | str) -> np.ndarray:
    """bool: where labels, of any shape, are not 0; raises `InputError` for values of an image."""
    if values.dtype.kind not in "biuf":
        raise InputError(f"{where}: holds {values.dtype} values: a mask holds numbers")
    if values.dtype == bool or not values.size:
        return values.astype(bool)
    low, high = float(values.min()), float(values.max())
    # Written so that NaN does not pass.
    if not (low >= 0 and high <= MOST_LABELS and (values == np.rint(values)).all()):
        raise InputError(
            f"{where}: holds values from {low:g} to {high:g}: a mask holds 0, and 1 where the "
            "metal is"
        )
    return values != 0


def _of_grid(grid: Grid, volume: Volume, path: Path) -> np.ndarray:
    """The mask of a grid, put into the series by coordinates; by shape where it states none."""
    marked, planes = _marked(grid.hu, path), planes_of(volume)
    if planes is None:
        return _of_shape(marked, volume, path)
    origin, axes = frame_of(grid)
    spacing = np.array((*grid.spacing, volume.spacing[0])[:3])
    # Unit vectors along i, j and k -> steps to the next voxel, mm; along an axis of one voxel
    # there is none.
    steps = axes * spacing[:, None]
    planes.require_same_voxels(steps[np.array(marked.shape[::-1]) > 1], str(path))
    # (k, j, i) -> (i, j, k) -> mm.
    points = origin + np.argwhere(marked)[:, ::-1] @ steps
    return planes.mask(points, volume.hu.shape, str(path))
