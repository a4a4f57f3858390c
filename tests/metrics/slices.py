"""Slices for the clinical measures: a phantom, and real ones."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image


class Slice(NamedTuple):
    """HU `[H W]`, masks bool `[H W]`, mm."""

    truth: np.ndarray
    metal: np.ndarray
    body: np.ndarray
    pixel: float


def disc(shape: tuple[int, int], row: float, column: float, tall: float, wide: float) -> np.ndarray:
    """bool: an ellipse; middle and half axes as shares of the height."""
    rows, columns = np.mgrid[: shape[0], : shape[1]] / shape[0]
    return ((rows - row) / tall) ** 2 + ((columns - column) / wide) ** 2 < 1


def phantom(size: int = 192, pixel: float = 2.0) -> Slice:
    """A body with a layer of fat, two organs, two bones and a piece of metal."""
    shape = size, size
    body = disc(shape, 0.5, 0.5, 0.32, 0.42)
    hu = np.full(shape, -1000, np.float32)
    hu[body] = -100
    hu[disc(shape, 0.5, 0.5, 0.29, 0.39)] = 40
    hu[disc(shape, 0.42, 0.66, 0.08, 0.08)] = 90
    hu[disc(shape, 0.65, 0.5, 0.05, 0.06)] = 700
    hu[disc(shape, 0.45, 0.3, 0.04, 0.04)] = 400
    return Slice(hu, disc(shape, 0.52, 0.48, 0.02, 0.02), body, pixel)


def chest(reference: Path) -> Slice:
    """A real slice with a piece of metal beside the spine."""
    from unmetal.physics.derive import body_mask  # noqa: PLC0415

    with (reference / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if "ID_0086" in r["file"]]
    hu = np.asarray(Image.open(reference / rows[0]["file"])).astype(np.float32) - 1024
    pixel = float(rows[0]["spacing_mm"])
    return Slice(hu, disc(hu.shape, 0.664, 0.5, 0.016, 0.016), body_mask(hu, pixel), pixel)
