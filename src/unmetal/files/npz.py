"""Arrays by name in an .npz, and metal masks from one or from an image."""

from pathlib import Path

import numpy as np

from unmetal.errors import InputError


def load_arrays(path: Path, *required: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz by their names, the `required` ones among them. Never runs code in it.

    Raises `InputError`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except Exception as error:
        raise InputError(f"{path}: not a file of arrays (.npz) that can be read") from error
    if missing := [name for name in required if name not in arrays]:
        raise InputError(f"{path}: no {', '.join(missing)} in it; see unmetal evaluate --help")
    return arrays


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
        gray = load_gray(path)[None]
        masks = gray > gray.max() / 2
    if index is not None and index >= len(masks):
        raise InputError(f"{path}: there is no mask {index}; it holds {len(masks)}, from 0")
    return masks if index is None else masks[index : index + 1]


def load_gray(path: Path) -> np.ndarray:
    """The stored numbers of an image in grey, float32 `[H W]`; raises `InputError`."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("F"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path}: not an image that can be read") from error
