"""Test sets with a known truth: clean slices to be simulated on, and ready-made pairs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unmetal.errors import InputError

CLEAN = "deeplesion_test_256.npz"
MASKS = "masks/cnnmar_test_10x512.npz"


@dataclass(frozen=True)
class Clean:
    """Slices without metal and the metals to put into each of them."""

    hu: np.ndarray
    """float32 `[N H W]`, HU: the truth."""
    masks: np.ndarray
    """bool `[M h w]`, of any size."""
    groups: tuple[str, ...]
    """N names; slices of one patient share theirs. Unknown patients: a name a slice."""


@dataclass(frozen=True)
class Pairs:
    """Slices with metal, and the same without."""

    affected: np.ndarray
    """float32 `[N H W]`, HU."""
    clean: np.ndarray
    """float32 `[N H W]`, HU: the truth."""
    metal: np.ndarray
    """bool `[N H W]`."""
    body: np.ndarray
    """bool `[N H W]`: where it counts."""
    spacing: np.ndarray
    """float64 `[N]`, mm."""
    names: tuple[str, ...]


def load_cases(path: Path) -> Clean | Pairs:
    """The test set in a `.npz` file of pairs, or in a folder of clean slices and masks.

    A file of pairs holds `ma_x4` and `clean_x4` (int16 `[N H W]`, HU = value / 4), `mask` and
    `body` (bool, packed along the last axis by `numpy.packbits`), `spacing` (mm) and `names`. A
    folder holds `deeplesion_test_256.npz` (`hu_x4`) and `masks/cnnmar_test_10x512.npz` (`masks`).
    Raises `InputError`.
    """
    if path.is_dir():
        clean, masks = load_arrays(path / CLEAN), load_arrays(path / MASKS)
        if "hu_x4" not in clean or "masks" not in masks:
            raise InputError(f"{path}: {CLEAN} must hold hu_x4, and {MASKS} masks")
        hu = clean["hu_x4"].astype(np.float32) / 4
        return Clean(hu, masks["masks"].astype(bool), tuple(str(i) for i in range(len(hu))))
    arrays = load_arrays(path)
    wanted = ("ma_x4", "clean_x4", "mask", "body", "spacing", "names")
    if missing := [name for name in wanted if name not in arrays]:
        raise InputError(f"{path}: no {', '.join(missing)} in it; see unmetal evaluate --help")
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


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a `.npz` file by their names; raises `InputError`. Never runs code in it."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except Exception as error:
        raise InputError(f"{path}: not a file of arrays (.npz) that can be read") from error


def load_masks(where: str) -> np.ndarray:
    """Metal masks bool `[n H W]` from `FILE` or one of them, `[1 H W]`, from `FILE:INDEX`.

    FILE is an `.npz` holding `masks`, or an image whose pixels above half its maximum are metal.
    Raises `InputError`.
    """
    path, index = Path(where), None
    head, _, tail = where.rpartition(":")
    if not path.exists() and head and tail.isdigit():
        path, index = Path(head), int(tail)
    if path.suffix == ".npz":
        arrays = load_arrays(path)
        if "masks" not in arrays or arrays["masks"].ndim != 3:
            raise InputError(f"{path}: must hold masks, bool [n H W]")
        masks = arrays["masks"].astype(bool)
    else:
        masks = _load_image(path)[None]
    if index is not None and index >= len(masks):
        raise InputError(f"{path}: there is no mask {index}; it holds {len(masks)}, from 0")
    return masks if index is None else masks[index : index + 1]


def _load_image(path: Path) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("F"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path}: not an image that can be read") from error
    return grey > grey.max() / 2 if grey.max() > 0 else np.zeros(grey.shape, dtype=bool)
