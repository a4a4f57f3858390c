"""Files in, `Volume` out, and back again in the same format, geometry, type and order.

Each format is one module with `read(path, spacing)` and `write(volume, path, derivation)`; none is
imported before a file needs it, so `import unmetal` takes no time for formats that are not used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from unmetal.errors import InputError, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.formats import detect_format
from unmetal.files.hounsfield import check_hu_range, detect_padding, require_finite, require_size
from unmetal.files.masks import as_mask, read_mask
from unmetal.files.outputs import (
    Output,
    check_mask,
    check_output,
    companion_path,
    difference,
    format_module,
    write_all,
)
from unmetal.scan import Volume

__all__ = [
    "Derivation",
    "Output",
    "as_mask",
    "as_stored",
    "check_mask",
    "check_output",
    "companion_path",
    "difference",
    "read",
    "read_mask",
    "write",
    "write_all",
]

log = logging.getLogger("unmetal")


def read(
    path: Path,
    *,
    spacing: float | None = None,
    log_warnings: bool = True,
    only: Iterable[str] | None = None,
) -> Volume:
    """What a file or folder holds, in HU.

    Args:
        path: a folder, zip or file of DICOM, .nii, .nii.gz, .mha, .mhd, .nrrd, .npy or .png.
        spacing: pixel size in mm, for formats that state none.
        log_warnings: whether what is odd about the input goes to the log; it is always in
            `meta["warnings"]`.
        only: of a folder of DICOM, no other files than these, relative to it.

    Raises:
        InputError: nothing there, not readable, or not CT in HU.
    """
    if spacing is not None and not 0 < spacing < float("inf"):
        raise InputError(f"spacing {spacing}: the pixel size must be a positive length in mm")
    format = detect_format(path)
    chosen = {} if only is None else {"only": only}
    try:
        volume = format_module(format, path).read(path, spacing, **chosen)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {short_error(error)}") from error
    except MemoryError as error:
        raise InputError(f"{path}: does not fit into memory") from error
    volume = _checked(replace(volume, path=path), format)
    if log_warnings:
        for warning in volume.meta["warnings"]:
            log.warning("%s: %s", path, warning)
    return volume


def write(
    volume: Volume, path: Path, *, force: bool = False, derivation: Derivation | None = None
) -> None:
    """Give a volume back in the format it was read from; one made in memory goes by the suffix.

    All or nothing: files appear under their names when every one of them is complete. A pixel
    whose HU did not change keeps its stored value bit for bit.

    Args:
        volume: HU `[slices H W]`, with the `source` its reader gave it.
        path: the output; a folder for a folder of DICOM.
        force: replace what lies there (a folder only when it holds nothing but DICOM).
        derivation: what was done, for the header; with the source's UIDs it fixes the new ones.

    Raises:
        InputError: values that are not finite, a path that must not be written, a full disk.
    """
    write_all([Output(volume, path, derivation or Derivation())], force=force)


def as_stored(volume: Volume) -> tuple[Volume, np.ndarray]:
    """The volume as it reads back from a file of its format, and how many values of each slice
    had to be clipped for that, int `[slices]`."""
    if volume.source is None:
        return volume, np.zeros(len(volume.hu), int)
    hu, clipped = volume.source.read_back(volume.hu)
    return volume.with_hu(hu), clipped


def _checked(volume: Volume, format: str) -> Volume:
    """Add the padding no header declares, and refuse values that cannot be HU."""
    require_finite(volume.hu, str(volume.path))
    if volume.spacing_known:
        require_size(volume.spacing, str(volume.path))
    masks = [m for m in (volume.padding, detect_padding(volume.hu)) if m is not None and m.any()]
    padding = np.logical_or.reduce(masks) if masks else None
    warnings = list(volume.meta.get("warnings", ()))
    warnings += check_hu_range(volume.hu, padding, format, str(volume.path))
    return replace(volume, padding=padding, meta=volume.meta | {"warnings": tuple(warnings)})
