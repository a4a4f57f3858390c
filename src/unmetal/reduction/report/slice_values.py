"""The HU of the shown slices as text for the page's script, which shows them in any window.

A slice is two planes of whole numbers, in steps of `step` HU: before, and after - before. Each
number is stored as its difference to its left neighbour, zigzag coded (0, -1, 1, -2 become 0, 1, 2,
3), all low bytes first and then all high ones, because DEFLATE finds little in mixed bytes. Noise
cannot be compressed, so a slice of 512 x 512 takes about a third of a megabyte.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BUDGET = 4_400_000
"""Characters that all slices of a page may take; with its pictures it then stays near 6 MB."""

STEPS = (1, 2, 4, 8, 16)
"""HU: the first one that fits the budget is taken. The noise of a slice is 10 HU or more."""

LONGEST = 512
"""Pixels along the longer side; larger slices are averaged over squares of pixels."""


@dataclass(frozen=True)
class PackedSlices:
    """The slices of a page, all of one shape."""

    texts: tuple[str, ...]
    """Base64 of a zlib stream each, in the order in which they came."""
    rows: int
    columns: int
    shrink: int
    """Pixels of the source along a side of one pixel here."""
    step: int
    """HU."""


def pack_slices(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], budget: int = BUDGET
) -> PackedSlices | None:
    """Slices before and after, HU `[H W]` each, of one shape; None where there are none.

    The last of `STEPS` is taken even where it does not fit the budget.
    """
    if not pairs:
        return None
    shrink = -(-max(pairs[0][0].shape) // LONGEST)
    small = [(shrunk(before, shrink), shrunk(after, shrink)) for before, after in pairs]
    rows, columns = small[0][0].shape
    for step in STEPS:
        texts = tuple(_packed(before, after, step) for before, after in small)
        if sum(map(len, texts)) <= budget or step == STEPS[-1]:
            break
    return PackedSlices(texts, rows, columns, shrink, step)


def shrunk(hu: np.ndarray, times: int) -> np.ndarray:
    """Means over squares of `times` x `times` pixels of `[H W]`; what is left at the lower and the
    right edge is repeated."""
    if times == 1:
        return hu
    rows, columns = (-(-length // times) * times for length in hu.shape)
    padded = np.pad(hu, ((0, rows - hu.shape[0]), (0, columns - hu.shape[1])), mode="edge")
    return padded.reshape(rows // times, times, columns // times, times).mean((1, 3))


def _packed(before: np.ndarray, after: np.ndarray, step: int) -> str:
    old, new = (np.round(hu / step).clip(-(2**15), 2**15 - 1).astype(int) for hu in (before, after))
    planes = b"".join(_coded(plane) for plane in (old, new - old))
    return b64encode(zlib.compress(planes, 9)).decode()


def _coded(plane: np.ndarray) -> bytes:
    """Whole numbers `[H W]` as low bytes and high bytes of their coded differences."""
    # In 16 bits that wrap around: the sum on the other side wraps back.
    change = np.diff(plane, axis=1, prepend=0).astype(np.int16).astype(int)
    zigzag = (2 * change ^ (change >> 15)) & 0xFFFF
    return (zigzag & 0xFF).astype(np.uint8).tobytes() + (zigzag >> 8).astype(np.uint8).tobytes()
