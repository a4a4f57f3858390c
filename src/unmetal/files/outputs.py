"""Writing several outputs all or nothing: the result, the difference, the metal mask."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from unmetal.errors import InputError, install_extra, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.formats import output_format, suffix_of
from unmetal.files.header import dicom_headers
from unmetal.files.hounsfield import require_finite
from unmetal.files.staging import refuse_overwrite, staged
from unmetal.scan import Volume


@dataclass(frozen=True)
class Output:
    """One thing to write: a volume's values, or a mask on a volume's grid."""

    volume: Volume
    """HU `[slices H W]`, with the `source` its reader gave it."""

    path: Path
    """A folder for a folder of DICOM."""

    derivation: Derivation = field(default_factory=Derivation)
    """How it came from the input."""

    mask: np.ndarray | None = None
    """bool `[slices H W]`: what is written in place of the values."""

    contours: bool = False
    """Whether the mask is written as contours, an RT Structure Set; for DICOM only."""


def write_all(outputs: Sequence[Output], *, force: bool = False) -> None:
    """Write everything, then put everything into its place; on a failure nothing of it appears.

    Raises `InputError` for values that are not finite, a path that must not be written, and a full
    disk.
    """
    formats = [check_output(output.volume, output.path, force=force) for output in outputs]
    for output in outputs:
        require_finite(output.volume.hu, "the values to write")
    try:
        with ExitStack() as stages:
            for output, format in zip(outputs, formats, strict=True):
                target = stages.enter_context(staged(output.path, force=force))
                _put(output, target, format_module(format, output.path))
    except OSError as error:
        raise InputError(f"{outputs[0].path}: cannot be written: {short_error(error)}") from error


def check_output(volume: Volume, path: Path, *, force: bool = False) -> str:
    """Refuse early what `write_all` would refuse; returns the format of the output.

    Raises `InputError` for another format than the input's, a path that exists, and the input.
    """
    format = output_format(path, None if volume.source is None else volume.source.format)
    several = bool(dicom_headers(volume)) and volume.source.layout != "file"
    folder = several and not suffix_of(path)
    refuse_overwrite(path, folder=folder, source=volume.path, force=force)
    format_module(format, path)
    return format


def check_mask(volume: Volume) -> None:
    """Raise `InputError` for a mask that `write_all` would refuse: only DICOM asks for more than a
    place, the extra `dicom` and a frame of reference."""
    if dicom_headers(volume):
        format_module("dicom", volume.path).check_mask(volume)


def format_module(format: str, path: Path | None) -> Any:
    """The module that reads and writes a format, for `path`; imported when a file needs it.

    Raises `InputError` where SimpleITK is needed and not installed.
    """
    try:
        return import_module(f"unmetal.files.{format}")
    except ModuleNotFoundError as error:
        if error.name != "SimpleITK":
            raise
        raise InputError(f"{path}: {install_extra('SimpleITK', 'itk')}") from error


def companion_path(path: Path, what: str, volume: Volume) -> Path:
    """Where `what` goes that belongs to the output `path`: `out.nii.gz` -> `out-metal.nii.gz`.

    The metal of a DICOM series, and its contours, are one object each, whatever the series lies in.
    """
    suffix = suffix_of(path)
    stem = path.name[: len(path.name) - len(suffix)]
    if what.startswith("metal") and dicom_headers(volume):
        suffix = ".dcm"
    return path.with_name(f"{stem}-{what}{suffix}")


def difference(before: Volume, after: Volume) -> Volume:
    """What was changed, in HU, on the same grid; what it is written as follows from the source."""
    source = before.source
    if source is not None:
        source = format_module(source.format, before.path).zero_difference(source)
    return replace(before, hu=after.hu - before.hu, source=source, padding=None)


def _put(output: Output, target: Path, module: Any) -> None:
    if output.mask is None:
        module.write(output.volume, target, output.derivation)
    elif output.contours:
        module.write_contours(output.volume, output.mask, target, output.derivation)
    else:
        module.write_mask(output.volume, output.mask, target, output.derivation)
