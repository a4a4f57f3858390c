"""Reading the slices of files: judged by the rule, resized, under pseudonyms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from unmetal import files
from unmetal.cohorts.preparation.layouts import patient_from_path
from unmetal.cohorts.preparation.manifest import Row
from unmetal.cohorts.preparation.parts import Chunk, Judged, save_part
from unmetal.cohorts.preparation.pseudonyms import Key
from unmetal.cohorts.preparation.request import Request
from unmetal.cohorts.preparation.selection import LEFT_OUT
from unmetal.errors import InputError
from unmetal.files.header import dicom_headers, header_value
from unmetal.scan import AIR_HU, Volume

SIZE = 256
"""Pixels across a slice of a cohort. Source: `image_size` of the released code."""

BORDERLINE = 2
"""Slices of each file that a rule left out and that are kept for the contact sheet."""

OURS = r"\((?:1 x (?:localizer|multi-frame|(?:[A-Z]{2,4}, )?[A-Za-z ]+ Storage)|[\d, ]+)\)"
"""Parentheses in messages that hold no text of a header: kinds of objects, and shapes."""

FOREIGN = re.compile(rf"(?!{OURS})\(.*\)|'[^']*'|\"[^\"]*\"|\d{{8,}}|\d+(?:\.\d+){{2,}}")
"""Parts of a message that may quote a header: other parentheses, quotes, long numbers, UIDs."""


@dataclass(frozen=True)
class ChunkResult:
    """The outcome of reading a chunk."""

    said: tuple[str, ...] = ()
    """Why files could not be read, with their names: for the terminal, and for nothing else."""
    died: bool = False
    """Whether the process ended before the part was there."""


@dataclass(frozen=True)
class Reader:
    """Makes the part of a chunk. Can be pickled for worker processes."""

    key: Key
    request: Request
    folder: Path
    """Where parts lie."""

    def path(self, chunk: Chunk) -> Path:
        """The file of the part; another one when a file or an option changed."""
        asked = f"{self.request.limits} {self.request.spacing} {self.request.patients}"
        return self.folder / f"{self.key.name('part', asked, *chunk.facts())}.npz"

    def __call__(self, chunk: Chunk) -> ChunkResult:
        """Make the part; no file can make it raise."""
        judged: list[Judged] = []
        said: list[str] = []
        for file, pixel in zip(chunk.files, chunk.pixels, strict=True):
            try:
                judged += self.slices(chunk, file, pixel or self.request.spacing)
            except InputError as error:
                said.append(str(error))
                reason = anonymous_reason(error, chunk.root / file)
                judged.append((self.unread(chunk.side, file, reason), None))
            except Exception as error:  # a bug of ours must not end the whole archive
                said.append(f"{chunk.root / file}: a bug of unmetal: {error!r}")
                judged.append((self.unread(chunk.side, file, "cannot be read"), None))
        save_part(judged, self.path(chunk))
        return ChunkResult(tuple(said))

    def unread(self, side: str, file: str, reason: str) -> Row:
        """The line of the manifest for a file that gave no slice."""
        return Row(source=self.key.name("source", side, file), decision=LEFT_OUT, reason=reason)

    def slices(self, chunk: Chunk, file: str, spacing: float | None) -> Iterator[Judged]:
        """Every slice of a file; raises `InputError` where none can be read."""
        volume = files.read(chunk.root / file, spacing=spacing, log_warnings=False)
        about = self._about(volume, chunk, file)
        if reason := reason_unusable(volume):
            yield replace(about, decision=LEFT_OUT, reason=reason), None
            return
        pixel, left_out = volume.square_pixel, 0
        for place, hu in enumerate(volume.in_air()):
            decision, reason, top, component = chunk.rule(hu, pixel, self.request.limits)
            left_out += decision == LEFT_OUT
            row = replace(
                about,
                image=self._image(volume, place),
                slice=place,
                pixel_mm=round(pixel, 6),
                matrix=max(hu.shape),
                max_hu=round(top, 1),
                component_px=component,
                decision=decision,
                reason=reason,
            )
            keep = decision != LEFT_OUT or left_out <= BORDERLINE
            yield row, resize_square(hu) if keep else None

    def _about(self, volume: Volume, chunk: Chunk, file: str) -> Row:
        """Pseudonyms of patient, series and file: by the header, or by the path without one."""
        series = header_value(volume, "SeriesInstanceUID") or f"{chunk.side} {file}"
        if chunk.kind == "deeplesion":
            series = Path(file).parent.name
        return Row(
            patient=self.key.name("patient", *self._patient(volume, chunk, file)),
            series=self.key.name("series", series),
            source=self.key.name("source", chunk.side, file),
        )

    def _patient(self, volume: Volume, chunk: Chunk, file: str) -> tuple[str, str]:
        """What identifies the patient, and its value. Without PatientID a study is a patient."""
        by_header = self.request.patients == "header"
        for keyword in ("PatientID", "StudyInstanceUID") if by_header else ():
            if stated := header_value(volume, keyword):
                return keyword, stated
        return chunk.side, patient_from_path(file, chunk.kind)

    def _image(self, volume: Volume, place: int) -> str:
        uid = header_value(volume, "SOPInstanceUID", place)
        return self.key.name("image", uid) if uid else ""


def reason_unusable(volume: Volume) -> str:
    """Why no slice of a volume can be used; empty where it can."""
    if volume.meta.get("made_by_unmetal"):
        return "made by unmetal"
    if not volume.meta.get("axial", True):
        return "slices are not axial"
    if str(volume.meta.get("burned_in", "")).upper() == "YES":
        return "text burned into the image, which may say whose it is"
    if dicom_headers(volume) and not volume.spacing_known:
        return "the header states no pixel size"
    _, row, column = volume.spacing
    return "pixels are not square" if abs(row - column) > 1e-3 * column else ""


def resize_square(hu: np.ndarray) -> np.ndarray:
    """int16 `[SIZE SIZE]` of HU `[H W]`: air added to make it square, then resized.

    Bicubic with antialiasing, as MATLAB's imresize made the truth of the paper's SYN. The code for
    SpineWeb resizes by Pillow's default, which was the nearest pixel then: that aliases noise.
    Clipped at -1000 HU, as the paper's data are.
    """
    height, width = hu.shape
    side = max(hu.shape)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((side, side), AIR_HU, np.float32)
    square[top : top + height, left : left + width] = hu
    small = functional.interpolate(
        torch.from_numpy(square)[None, None],
        (SIZE, SIZE),
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )
    return small[0, 0].round().clamp(AIR_HU, np.iinfo(np.int16).max).numpy().astype(np.int16)


def anonymous_reason(error: InputError, path: Path) -> str:
    """The reason of an error without anything that identifies a patient: our own words, which stand
    between the path and the first colon, without what they quote."""
    message = str(error)
    if not message.startswith(f"{path}: "):
        return "cannot be read"
    return FOREIGN.sub("", message[len(f"{path}: ") :]).split(": ")[0].strip()
