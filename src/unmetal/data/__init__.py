"""Files in, `Volume` out, and back again in the same form, geometry, type and order.

Each format is one module with `read(path, spacing)` and `write(volume, path, derivation)`; none is
imported before a file needs it, so training runs where pydicom and SimpleITK are not installed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from unmetal.data.derivation import Derivation
from unmetal.data.forms import form_of, output_form, suffix_of
from unmetal.data.place import refuse_to_lose, staged
from unmetal.data.plausible import filler, objection, require_finite
from unmetal.data.reasons import why
from unmetal.errors import InputError
from unmetal.scan import Volume

__all__ = ["Derivation", "as_stored", "check_output", "read", "write"]

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
    form = form_of(path)
    chosen = {} if only is None else {"only": only}
    try:
        volume = _format(form).read(path, spacing, **chosen)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {why(error)}") from error
    volume = _checked(replace(volume, path=path), form)
    if log_warnings:
        for warning in volume.meta["warnings"]:
            log.warning("%s: %s", path, warning)
    return volume


def write(
    volume: Volume,
    path: Path,
    *,
    force: bool = False,
    method: str = "MAR",
    description: str = "Metal artifact reduction",
    kind: str = "MAR",
) -> None:
    """Give a volume back in the form it was read from; one made in memory goes by the suffix.

    All or nothing: files appear under their names when every one of them is complete. A pixel
    whose HU did not change keeps its stored value bit for bit.

    Args:
        volume: HU `[slices H W]`, with the `source` its reader gave it.
        path: the output; a folder for a folder of DICOM.
        force: replace what lies there (a folder only when it holds nothing but DICOM).
        method: short name for the derived DICOM series, `ADN`.
        description: what was done, in a sentence; with the method and the source's UIDs it fixes
            the derived UIDs.
        kind: value 4 of ImageType, `MAR` or `SIMULATED`.

    Raises:
        InputError: values that are not finite, a path that must not be written, a full disk.
    """
    form = check_output(volume, path, force=force)
    require_finite(volume.hu, "the values to write")
    try:
        with staged(path, force=force) as target:
            _format(form).write(volume, target, Derivation(method, description, kind))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {why(error)}") from error


def check_output(volume: Volume, path: Path, *, force: bool = False) -> str:
    """Refuse an output that `write` would refuse, before an hour of computing; names its form.

    Raises:
        InputError: another format than the input's, a path that exists, or the input itself.
    """
    form = output_form(path, None if volume.source is None else volume.source.form)
    layout = volume.source.layout if form == "dicom" and volume.source is not None else "file"
    folder = layout == "folder" and not suffix_of(path)
    refuse_to_lose(path, folder=folder, source=volume.path, force=force)
    return form


def as_stored(volume: Volume) -> tuple[Volume, np.ndarray]:
    """The volume as it reads back from a file of its format, and how many values of each slice
    had to be clipped for that, int `[slices]`."""
    if volume.source is None:
        return volume, np.zeros(len(volume.hu), int)
    hu, clipped = volume.source.read_back(volume.hu)
    return volume.with_hu(hu), clipped


def _format(form: str) -> Any:
    return import_module(f"unmetal.data.{form}")


def _checked(volume: Volume, form: str) -> Volume:
    """Add the padding no header declares, and refuse values that cannot be HU."""
    require_finite(volume.hu, str(volume.path))
    masks = [m for m in (volume.padding, filler(volume.hu)) if m is not None and m.any()]
    padding = np.logical_or.reduce(masks) if masks else None
    warnings = list(volume.meta.get("warnings", ()))
    warnings += objection(volume.hu, padding, form, str(volume.path))
    return replace(volume, padding=padding, meta=volume.meta | {"warnings": tuple(warnings)})
