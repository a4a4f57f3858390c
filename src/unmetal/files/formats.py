"""Which format a file is in: by content where the content tells, by suffix where it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from unmetal.errors import InputError, short_error

SUFFIXES = {
    ".nii.gz": "nifti",
    ".nii": "nifti",
    ".mha": "itk",
    ".mhd": "itk",
    ".nrrd": "itk",
    ".npy": "npy",
    ".png": "png",
    ".dcm": "dicom",
    ".zip": "dicom",
}
"""Suffix -> the module of `unmetal.files` that reads and writes it."""

GRIDS = {"nifti", "itk"}
"""Modules that write what the other one read."""

SIGNATURES = (
    (128, b"DICM", "dicom"),
    (0, b"PK\x03\x04", "dicom"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
)
"""Offset, bytes there, module. Stronger than the suffix: PACS exports have none."""

KNOWN = "a folder, zip or file of DICOM, " + ", ".join(s for s in SUFFIXES if s != ".zip")


def is_dicom(file: IO[bytes]) -> bool:
    """Whether a file begins as DICOM does: 128 bytes, then `DICM` (PS3.10 section 7.1).

    file: at its start; reads the first 132 bytes.
    """
    return file.read(132)[128:] == b"DICM"


def suffix_of(path: Path) -> str:
    """The suffix as `SUFFIXES` knows it (`.nii.gz` is one), or an empty string."""
    return next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), "")


def detect_format(path: Path) -> str:
    """The module that reads `path`; raises `InputError` for what does not exist, cannot be opened,
    or is of no known format."""
    if path.is_dir():
        return "dicom"
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file or folder") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {short_error(error)}") from error
    for offset, mark, format in SIGNATURES:
        if head[offset:].startswith(mark):
            return format
    if suffix := suffix_of(path):
        return SUFFIXES[suffix]
    raise InputError(f"{path}: not a format that is read here: give {KNOWN}")


def output_format(path: Path, held: str | None) -> str:
    """The module that writes `path`: that of the input, with which the suffix must agree.

    held: format of the volume's source; None for one made in memory.
    Raises `InputError` where the suffix asks for another format, or nothing says which.
    """
    wanted = SUFFIXES.get(suffix_of(path))
    if held is None and wanted is None:
        raise InputError(f"{path}: say the format by the suffix: {', '.join(SUFFIXES)}")
    if wanted is not None and {wanted, held} <= GRIDS:
        return wanted
    if held is not None and wanted not in {None, held}:
        fitting = " or ".join(s for s, format in SUFFIXES.items() if format == held)
        folder = "a folder, " if held == "dicom" else ""
        raise InputError(
            f"{path}: the output has the format of the input; give {folder}{fitting} as output"
        )
    return held or str(wanted)
