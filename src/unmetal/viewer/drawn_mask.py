"""A mask that was drawn in the page, a NIfTI, brought onto the grid of its series."""

from __future__ import annotations

import zlib

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

from unmetal.errors import InputError, short_error
from unmetal.viewer.records import Grid

GZIP = 31
"""Window bits by which zlib reads gzip."""

HEADER = 2**16
"""Bytes that a header and its extensions may have."""

TOLERANCE = 0.1
"""Voxels by which its corners may lie elsewhere: programs round coordinates to float32."""


def most_bytes(grid: Grid) -> int:
    """Size of the largest file that is taken: 8 bytes a voxel."""
    return 8 * int(np.prod(grid.shape)) + HEADER


def read_drawn(content: bytes, grid: Grid) -> np.ndarray:
    """bool `[slices H W]`: where the drawing is not 0.

    Its axes may be swapped or mirrored, as programs save them that turn volumes to RAS+. Raises
    `InputError` for what is no NIfTI, has another grid, or marks nothing.
    """
    values, affine = _image(_unpacked(content, most_bytes(grid)))
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    wanted = grid.matrix()
    if values.ndim != 3 or values.dtype.kind not in "iuf":
        raise InputError(f"the mask has shape {values.shape}: draw it on this series")
    # From its axes to ours, which differ by swaps and mirrors at most.
    turn = io_orientation(np.linalg.inv(wanted) @ affine)
    if np.isnan(turn).any():
        raise InputError("the mask has no orientation: draw it on this series")
    affine = affine @ inv_ornt_aff(turn, values.shape)
    turned = apply_orientation(values, turn).transpose(2, 1, 0)
    if turned.shape != grid.shape:
        raise InputError(
            f"the mask has {turned.shape} voxels and the series {grid.shape}: draw it on this one"
        )
    corners = np.array(np.meshgrid(*([0, n - 1] for n in grid.shape[::-1]))).reshape(3, -1)
    places = np.vstack([corners, np.ones(corners.shape[1])])
    off = (np.linalg.inv(wanted) @ affine @ places - places)[:3]
    if np.abs(off).max() > TOLERANCE:
        raise InputError("the mask lies elsewhere than the series: draw it on this one")
    marked: np.ndarray = turned != 0
    if not marked.any():
        raise InputError("the mask marks no voxel, so there would be nothing to reduce")
    return marked


def _unpacked(content: bytes, most: int) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    inflate = zlib.decompressobj(GZIP)
    try:
        unpacked = inflate.decompress(content, most)
    except zlib.error as error:
        raise InputError("the mask is damaged: save it again") from error
    if inflate.unconsumed_tail or not inflate.eof:
        raise InputError("the mask is damaged, or unpacks to more than a mask of this series")
    return unpacked


def _image(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Values and affine."""
    try:
        image = nibabel.Nifti1Image.from_bytes(content)
        return np.asanyarray(image.dataobj), image.affine
    except Exception as error:  # nibabel raises whatever a damaged header leads it to
        raise InputError(f"the mask is no NIfTI: {short_error(error)}") from error
