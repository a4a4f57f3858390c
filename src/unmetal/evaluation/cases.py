"""Test sets: clean slices to be simulated on, ready-made pairs, and real metal without a truth."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from unmetal.errors import InputError
from unmetal.files.npz import load_arrays, load_gray

CLEAN = "deeplesion_test_256.npz"
MASKS = "masks/cnnmar_test_10x512.npz"
"""Files of a test set in a folder: clean slices, and metal masks."""

OFFSET = -1024
"""HU of the stored number 0 in the pictures that an `index.csv` lists."""


@dataclass(frozen=True)
class Clean:
    """Slices without metal, the truth, HU float32 `[N H W]`, and masks of the metals to put into
    each of them, bool `[M h w]`, of any size."""

    hu: np.ndarray
    masks: np.ndarray
    groups: tuple[str, ...]
    """N names of patients; of slices where the patients are not known."""
    grouped_by: Literal["patient", "slice"] = "slice"
    """What the groups are."""
    spacing: np.ndarray | None = None
    """float64 `[N]`, mm; None where it is not known."""

    @property
    def names(self) -> tuple[str, ...]:
        """The numbers of the slices."""
        return tuple(map(str, range(len(self.hu))))


@dataclass(frozen=True)
class Pairs:
    """Slices with metal, and the same without, the truth: HU float32, masks bool, `[N H W]`."""

    affected: np.ndarray
    clean: np.ndarray
    metal: np.ndarray
    body: np.ndarray
    """Where results are scored."""
    spacing: np.ndarray
    """float64 `[N]`, mm."""
    names: tuple[str, ...]


@dataclass(frozen=True)
class Real:
    """Slices that may have metal in them, and no truth."""

    affected: np.ndarray
    """float32 `[N H W]`, HU."""
    spacing: np.ndarray
    """float64 `[N]`, mm."""
    names: tuple[str, ...]
    groups: tuple[str, ...]
    """N names of patients."""


Cases = Clean | Pairs | Real


def load_cases(path: Path) -> Clean | Pairs:
    """The test set in a `.npz` of pairs, in a folder, or in a folder's `index.csv`.

    - A `.npz` of pairs holds `ma_x4` and `clean_x4` (int16 `[N H W]`, HU = value / 4), `mask` and
      `body` (bool, packed along the last axis by `numpy.packbits`), `spacing` (mm) and `names`.
    - A folder holds `deeplesion_test_256.npz` (`hu_x4`) and `masks/cnnmar_test_10x512.npz`
      (`masks`). Who the patients are is not known.
    - An `index.csv` lists 16-bit pictures beside it (HU = value - 1024) with the columns `file`,
      `kind`, `split` and `patient`, and `spacing_mm` for protocols at true size; those of `split`
      test and `kind` clean are taken, with the same masks.

    Raises `InputError`.
    """
    if path.suffix == ".csv":
        hu, rows = _read_index(path, "clean", split="test")
        groups = tuple(row["patient"] for row in rows)
        spacing = _spacing(rows, path) if "spacing_mm" in rows[0] else None
        return Clean(hu, _test_masks(path.parent), groups, grouped_by="patient", spacing=spacing)
    if path.is_dir():
        hu = load_arrays(path / CLEAN, "hu_x4")["hu_x4"].astype(np.float32) / 4
        return Clean(hu, _test_masks(path), tuple(map(str, range(len(hu)))))
    arrays = load_arrays(path, "ma_x4", "clean_x4", "mask", "body", "spacing", "names")
    width = arrays["ma_x4"].shape[-1]
    mask, body = (np.unpackbits(arrays[n], axis=-1)[..., :width] > 0 for n in ("mask", "body"))
    return Pairs(
        arrays["ma_x4"].astype(np.float32) / 4,
        arrays["clean_x4"].astype(np.float32) / 4,
        mask,
        body,
        arrays["spacing"].astype(np.float64),
        tuple(str(name) for name in arrays["names"]),
    )


def load_real(path: Path) -> Real:
    """Slices with real metal: those of kind `real_metal` in an `index.csv`, of either split, or all
    of anything that `unmetal reduce` reads. Raises `InputError`."""
    if path.suffix == ".csv":
        hu, rows = _read_index(path, "real_metal")
        names, groups = (tuple(row[key] for row in rows) for key in ("file", "patient"))
        return Real(hu, _spacing(rows, path), tuple(Path(n).stem for n in names), groups)
    from unmetal.files import read  # noqa: PLC0415  (formats and their libraries)

    volume = read(path)
    count, name = len(volume.hu), path.stem
    names = (name,) if count == 1 else tuple(f"{name} {i + 1}" for i in range(count))
    spacing = np.full(count, volume.spacing[2], dtype=np.float64)
    return Real(volume.in_air().astype(np.float32), spacing, names, (name,) * count)


def _read_index(
    path: Path, kind: str, split: str | None = None
) -> tuple[np.ndarray, list[dict[str, str]]]:
    """HU float32 `[N H W]` and the rows of the pictures of a kind and split that an index lists."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
            rows = [row for row in rows if split in {None, row["split"]}]
            files = [path.parent / row["file"] for row in rows]
            [row["patient"] for row in rows]
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: not an index with file, kind, split and patient") from error
    if not files:
        which = f"split {split} and kind {kind}" if split else f"kind {kind}"
        raise InputError(f"{path}: lists no slice of {which}")
    hu = [load_gray(file) + OFFSET for file in files]
    if len({one.shape for one in hu}) > 1:
        raise InputError(f"{path}: lists slices of different sizes")
    return np.stack(hu), rows


def _spacing(rows: list[dict[str, str]], path: Path) -> np.ndarray:
    """mm, float64 `[N]`; raises `InputError`."""
    try:
        spacing = np.array([float(row["spacing_mm"]) for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: has no spacing_mm, a pixel size in mm, for each row") from error
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(f"{path}: spacing_mm must be positive lengths in mm")
    return spacing


def _test_masks(folder: Path) -> np.ndarray:
    """The metal masks of a test set, bool `[M h w]`; nothing is trained with them."""
    return load_arrays(folder / MASKS, "masks")["masks"].astype(bool)
