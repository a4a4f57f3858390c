"""File layouts of the archives: which files are images, and which patient they belong to.

DeepLesion   Images_png/PATIENT_STUDY_SERIES/SLICE.png (Yan et al. 2018), DL_info.csv beside it
SpineWeb     spine-N/patientNNNN/VOLUME/VOLUME.nii.gz or .mhd
cone-beam CT any tree of DICOM
folder       any tree of DICOM, NIfTI, MetaImage, NRRD, .npy and 16-bit .png
"""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from unmetal.errors import InputError, short_error
from unmetal.files.formats import SUFFIXES, is_dicom, suffix_of

Kind = Literal["deeplesion", "spineweb", "cbct", "folder"]

VOLUMES = (".nii.gz", ".nii", ".mhd", ".mha", ".nrrd", ".npy", ".zip")
"""Suffixes of files that may hold many slices."""

READ: dict[Kind, tuple[str, ...]] = {
    "deeplesion": (".png",),
    "spineweb": (".nii.gz", ".mhd", ".nii", ".mha"),
    "cbct": (".dcm", ".zip", ""),
    "folder": (*SUFFIXES, ""),
}
"""Suffixes of each kind; an empty one stands for DICOM under whatever name."""

DEEPLESION = re.compile(r"([^_/]+)_[^_/]+_[^_/]+")
"""A folder of DeepLesion: patient, study, series."""

INFO = "DL_info.csv"
"""DeepLesion's own table: the key slices and the pixel size of each."""


class Unread(NamedTuple):
    """A file that gives no slice, and the reason."""

    file: str
    reason: str


class Found(NamedTuple):
    """The files of an archive."""

    files: tuple[str, ...]
    """To be read, relative to the folder, in order."""
    unread: tuple[Unread, ...]
    others: int
    """Files that are no images by their names."""


def find_images(root: Path, kind: Kind, listed: Path | None = None, every: int = 1) -> Found:
    """The images below a folder; none of them is opened but for its first bytes.

    listed: of DeepLesion, a file that names the slices; all of them otherwise.
    every: take files 1, 1 + every, 1 + 2 every, ...
    Raises `InputError` where there is no such folder, or the list is none.
    """
    if not root.is_dir():
        raise InputError(f"{root}: is no folder: give the folder that holds the archive")
    files: list[str] = []
    unread: list[Unread] = []
    others = 0
    for name, problem in _walk(root):
        if not _wanted(root / name, name, kind, problem):
            others += not problem
        elif problem:
            unread.append(Unread(name, problem))
        else:
            files.append(name)
    if listed is not None:
        files, missing = _chosen(files, read_slice_list(listed))
        unread += [Unread(name, "listed, but not there") for name in missing]
    return Found(tuple(files[::every]), tuple(unread), others)


def patient_from_path(name: str, kind: Kind) -> str:
    """The name of the patient in the path of a slice."""
    path = PurePosixPath(name)
    if kind == "deeplesion" and (match := DEEPLESION.fullmatch(path.parent.name)):
        return match[1]
    if kind == "spineweb" and (found := [part for part in path.parts if "patient" in part]):
        return found[0].removesuffix(suffix_of(Path(found[0])))
    return path.parts[0] if len(path.parts) > 1 else path.name.removesuffix(suffix_of(Path(name)))


def read_slice_list(listed: Path) -> list[str]:
    """`SERIES/SLICE.png` for each line of a text file, or for each key slice of `DL_info.csv`."""
    try:
        text = listed.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{listed}: cannot be read: {short_error(error)}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith("File_name,"):
        lines = [row["File_name"] for row in csv.DictReader(lines)]
    names = [_as_path(line) for line in lines]
    if not names or not all(name.endswith(".png") for name in names):
        raise InputError(f"{listed}: not a list of slices: give one SERIES/SLICE.png a line")
    return list(dict.fromkeys(names))


def pixel_sizes(root: Path) -> dict[str, float]:
    """mm by series of DeepLesion, as far as its table lies in the folder or beside it."""
    path = next((path for path in (root / INFO, root.parent / INFO) if path.is_file()), None)
    if path is None:
        return {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(row["File_name"], row["Spacing_mm_px_"]) for row in csv.DictReader(file)]
        series = {_as_path(name).partition("/")[0]: sizes for name, sizes in rows}
        return {name: float(sizes.split(",")[0]) for name, sizes in series.items()}
    except (KeyError, ValueError, csv.Error, AttributeError) as error:
        raise InputError(f"{path}: not the table of DeepLesion") from error


def _as_path(name: str) -> str:
    """`SERIES/SLICE.png` of that, of `SERIES_SLICE.png` and of longer paths."""
    path = PurePosixPath(name.replace("\\", "/"))
    if len(path.parts) > 1:
        return f"{path.parts[-2]}/{path.name}"
    return "/".join(path.name.rsplit("_", 1))


def _chosen(files: list[str], listed: list[str]) -> tuple[list[str], list[str]]:
    """The listed files in the order of the list, and those that are not there."""
    there = {_as_path(name): name for name in files}
    return [there[n] for n in listed if n in there], [n for n in listed if n not in there]


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Everything below a folder but plain folders, and why it cannot be read; what is a folder all
    the same ends in `/`. Links to folders are not followed: they could lead in a circle."""
    failed: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=failed.append):
        folders.sort()
        here = PurePosixPath(Path(folder).relative_to(root).as_posix())
        entries = [((here / name).as_posix(), _problem(root / here / name)) for name in names]
        for inside in folders:
            name = f"{here / inside}/"
            if (root / name).is_symlink():
                entries.append((name, "a link to a folder"))
            elif suffix_of(Path(inside)):
                entries.append((name, "a folder, named as a file"))
        yield from sorted(entries)
    for error in failed:
        name = Path(os.fsdecode(error.filename)).relative_to(root).as_posix()
        yield f"{name}/", f"cannot be read: {short_error(error)}"


def _problem(path: Path) -> str:
    """Why a directory entry is no file; pipes are never opened, for that could wait forever."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return "a link to nothing" if path.is_symlink() else f"cannot be read: {short_error(error)}"
    return "" if stat.S_ISREG(mode) else "neither a file nor a folder"


def _wanted(path: Path, name: str, kind: Kind, problem: str) -> bool:
    """Whether an entry is an image by its name, broken ones included."""
    if name.endswith("/"):
        return True
    if path.name.startswith("."):
        return False
    if kind == "deeplesion" and not DEEPLESION.fullmatch(path.parent.name):
        return False
    if suffix := suffix_of(path):
        return suffix in READ[kind]
    if problem or "" not in READ[kind]:
        return "" in READ[kind]
    # PACS exports name images by number or UID; whatever else begins as DICOM does, is.
    ending = path.suffix[1:]
    return not ending or ending.isdigit() or _begins_as_dicom(path)


def _begins_as_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_dicom(file)
    except OSError:
        return True  # the reader will say why
