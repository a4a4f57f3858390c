"""16-bit grey .png as DeepLesion has them: the stored number is HU + 32768.

Source: K. Yan et al., DeepLesion, J. Med. Imaging 5(3), 2018, and the data set's own notes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from unmetal.errors import InputError, short_error
from unmetal.files.derivation import Derivation
from unmetal.files.hounsfield import pixel_size, read_back, to_hu, to_stored
from unmetal.scan import Volume

OFFSET = -32768.0
"""HU of the stored number 0."""

log = logging.getLogger("unmetal")


@dataclass(frozen=True, eq=False)
class Picture:
    """The source record of a .png."""

    stored: np.ndarray
    """uint16 `[H W]`."""

    format: ClassVar[str] = "png"

    def read_back(self, hu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `unmetal.files.as_stored`."""
        back, clipped = read_back(hu[0], self.stored, intercept=OFFSET)
        return back[None], np.array([clipped])


def read(path: Path, spacing: float | None) -> Volume:
    """One slice of HU; raises `InputError` for what is truncated or not 16-bit grey."""
    try:
        with Image.open(path) as image:
            mode, stored = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: not a complete .png: {short_error(error)}") from error
    if b"IEND" not in path.read_bytes():
        raise InputError(f"{path}: truncated: the end of the .png is missing")
    if not mode.startswith("I;16"):
        raise InputError(f"{path}: a {mode} picture, not 16-bit grey: give HU + 32768 in 16 bits")
    size, warnings = pixel_size(stored.shape[1], spacing)
    return Volume(
        hu=to_hu(stored, intercept=OFFSET)[None],
        spacing=(size, size, size),
        spacing_known=not warnings,
        source=Picture(stored.astype(np.uint16)),
        meta={"format": "16-bit PNG (HU + 32768)", "stored_as": "uint16", "warnings": warnings},
    )


def write(volume: Volume, path: Path, derivation: Derivation) -> None:
    """The same picture with other values; raises `InputError` for more than one slice."""
    if len(volume.hu) != 1:
        raise InputError(f"{path.name}: a .png holds one slice, not {len(volume.hu)}")
    before = np.zeros(volume.hu.shape[1:], np.uint16)
    before = before if volume.source is None else volume.source.stored
    stored, clipped = to_stored(volume.hu[0], before, intercept=OFFSET)
    if clipped:
        log.warning("%s: %d values do not fit 16 bits and were clipped", path.name, clipped)
    Image.fromarray(stored).save(path, format="PNG")


def zero_difference(source: Picture) -> Picture:
    """The source record of a difference of 0 HU."""
    return Picture(np.full(source.stored.shape, -OFFSET, np.uint16))


def write_mask(volume: Volume, mask: np.ndarray, path: Path, derivation: Derivation) -> None:
    """An 8-bit picture, 255 in the mask; `mask` is bool `[1 H W]`."""
    Image.fromarray(mask[0].astype(np.uint8) * 255).save(path, format="PNG")
