"""The CT series in a folder of many studies, and why every other DICOM object is left aside.

Only headers are read, and nothing is decoded. A series is what shares its UID, matrix, pixel size,
orientation and kernel: scanners put several reconstructions, or a coronal view, under one UID.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydicom import dcmread
from pydicom.dataset import Dataset

from unmetal.errors import short_error
from unmetal.files.derivation import Derivation
from unmetal.files.dicom.entries import Entry, refuse_inflation_bomb
from unmetal.files.dicom.provenance import derived_uid, made_by_unmetal
from unmetal.files.dicom.reading import tolerant
from unmetal.files.dicom.stack import Header, reason_unfit, stack_key
from unmetal.files.formats import is_dicom

OWN = "made by unmetal"

TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "Modality",
    "ImageType",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImageOrientationPatient",
    "SliceThickness",
    "ConvolutionKernel",
    "KVP",
    "DerivationCodeSequence",
    "ContributingEquipmentSequence",
)
"""All that sorting needs; the rest of a header is passed over."""


class Aside(NamedTuple):
    """A DICOM object that is no slice of a CT series, or a copy of one."""

    file: str
    """Relative to the folder."""
    reason: str
    broken: bool = False
    """Whether it is damaged, so that it may have been a slice."""


@dataclass(frozen=True)
class CTSeries:
    """One series, ready to be read."""

    name: str
    """Name of its output folder: hashes of UIDs and the series number, without identifiers."""
    files: tuple[str, ...]
    """Relative to the folder, sorted."""
    uid: str
    """SeriesInstanceUID."""
    facts: str
    """Matrix, pixel size, thickness, kV and kernel, in a line."""
    own: bool
    """Whether unmetal made it."""

    @property
    def folder(self) -> str:
        """The nearest folder that holds all its files, relative to the folder searched."""
        parents = [PurePosixPath(file).parent.as_posix() for file in self.files]
        return os.path.commonpath(parents) or "."


@dataclass(frozen=True)
class Contents:
    """What a folder holds."""

    series: tuple[CTSeries, ...]
    """By study and series number; those that unmetal made are among them."""
    aside: tuple[Aside, ...]
    others: int
    """Files that are not DICOM."""


class Found(NamedTuple):
    """What lies below a folder, by its headers."""

    stacks: list[tuple[tuple[str, ...], list[Header]]]
    """What the slices of a series share, and these."""
    aside: tuple[Aside, ...]
    others: list[Path]
    """Files that are not DICOM."""


def find_series(folder: Path, progress: Callable[[int], None] = lambda files: None) -> Contents:
    """Read every header below a folder; `progress` is called with the files seen so far.

    Never raises for a file: what cannot be read is set aside with its reason.
    """
    found = find_stacks(folder, progress=progress)
    series = [_series(key, slices) for key, slices in found.stacks]
    named = tuple(sorted(series, key=lambda one: one.name))
    return Contents(named, found.aside, len(found.others))


def find_stacks(
    folder: Path,
    more_tags: Sequence[str] = (),
    progress: Callable[[int], None] = lambda files: None,
) -> Found:
    """The headers of the slices of every series below a folder, with `TAGS` and `more_tags` only.

    As `find_series`, which names what this finds.
    """
    groups: dict[tuple[str, ...], list[Header]] = {}
    aside: list[Aside] = []
    others: list[Path] = []
    for count, path in enumerate(sorted(folder.rglob("*")), 1):
        progress(count)
        if not path.is_file():
            continue
        found = _classify(path, path.relative_to(folder).as_posix(), [*TAGS, *more_tags])
        if found is None:
            others.append(path)
        elif isinstance(found, Aside):
            aside.append(found)
        else:
            groups.setdefault(_key(found), []).append(found)
    stacks = []
    for key, slices in groups.items():
        kept, copies = _without_copies(slices, folder)
        aside += copies
        stacks.append((key, kept))
    return Found(stacks, tuple(sorted(aside)), others)


def is_output_of(output: Path, series: CTSeries, derivation: Derivation) -> bool:
    """Whether a folder is what `derivation` makes of a series, all of it: outputs appear whole or
    not at all, so the number of files and one of their headers tell."""
    files = sorted(path for path in output.rglob("*") if path.is_file())
    if len(files) != len(series.files):
        return False
    try:
        with tolerant():
            header = dcmread(files[0], stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
    except Exception:  # whatever it is, it is not the output
        return False
    return header.get("SeriesInstanceUID") == derived_uid(series.uid, derivation)


def _classify(path: Path, name: str, tags: list[str]) -> Header | Aside | None:
    """Read a header: a CT image, an object set aside, or None for a file that is not DICOM."""
    try:
        with path.open("rb") as file, tolerant():
            if not is_dicom(file):
                return None
            file.seek(0)
            refuse_inflation_bomb(file, name)
            dataset = dcmread(file, stop_before_pixels=True, specific_tags=[*tags])
            list(dataset)  # decodes every value: one that cannot be is noticed here
            if reason := reason_unfit(dataset):
                if "Modality" not in dataset and not reason[:1].isalpha():
                    # A UID that nobody knows, or what is left of one.
                    return Aside(name, "damaged: states neither kind nor modality", broken=True)
                return Aside(name, reason)
            if not {"Rows", "Columns"} <= set(dataset.dir()):
                return Aside(name, "damaged: states no image size", broken=True)
            header = Header(Entry(name, str(path), lambda: path.open("rb")), dataset)
            _key(header)  # a value in it that makes no sense is noticed here
            return header
    except Exception as error:  # what pydicom raises depends on where the file is damaged
        return Aside(name, f"damaged: {short_error(error)}", broken=True)


def _key(header: Header) -> tuple[str, ...]:
    data = header.dataset
    kernel = data.get("ConvolutionKernel") or ""
    kernel = kernel if isinstance(kernel, str) else " ".join(map(str, kernel))
    uids = (str(data.get(f"{what}InstanceUID", "")) for what in ("Study", "Series"))
    return (*uids, *stack_key(header), kernel, OWN if made_by_unmetal(data) else "")


def _without_copies(slices: list[Header], folder: Path) -> tuple[list[Header], list[Aside]]:
    """Set aside files that are, byte for byte, one that is there already. Two different files with
    one UID both stay: the reader refuses them, for nobody knows which is right."""
    first: dict[str, str] = {}
    kept, copies = [], []
    for one in slices:
        name, uid = one.entry.name, str(one.dataset.get("SOPInstanceUID", ""))
        other = first.setdefault(uid, name)
        if other != name and filecmp.cmp(folder / name, folder / other, shallow=False):
            copies.append(Aside(name, f"a copy of {other}"))
        else:
            kept.append(one)
    return kept, copies


def _series(key: tuple[str, ...], slices: list[Header]) -> CTSeries:
    study, series, matrix, pixels, _, kernel, own = key
    data = slices[0].dataset
    number = min(int(_number(data, "SeriesNumber")), 9999)
    facts = [
        matrix.replace("x", " x "),
        f"{pixels.strip('[]').partition(',')[0]} mm" if pixels != "[]" else "",
        f"{thick:g} mm thick" if (thick := _number(data, "SliceThickness")) else "",
        f"{kilovolts:g} kVp" if (kilovolts := _number(data, "KVP")) else "",
        kernel,
    ]
    return CTSeries(
        name=f"{_short(study)}-{number:04d}-{_short(*key[1:])}",
        files=tuple(sorted(one.entry.name for one in slices)),
        uid=series,
        facts=", ".join(fact for fact in facts if fact),
        own=bool(own),
    )


def _number(data: Dataset, keyword: str) -> float:
    """A positive number of the header; 0 where it is none."""
    try:
        with tolerant():
            value = float(data.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0.0
    return value if 0 < value < float("inf") else 0.0


def _short(*texts: str) -> str:
    """8 hexadecimal digits of the hash of some texts."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]
