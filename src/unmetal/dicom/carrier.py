"""What brings images to one destination, and the two ways in which that can fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class UnreachableError(Exception):
    """Nobody answers, or not us: every series has to wait."""


class DeclinedError(Exception):
    """The destination answered, and took not all of these images."""


class Carrier(Protocol):
    """One destination."""

    def carry(self, images: list[Path], *, doubt: bool) -> Iterator[Path]:
        """Send DICOM files of one series, and yield each when the destination has it for good.

        doubt: whether an earlier attempt may have brought one of them without hearing so; then
            the destination is asked what it has, if it can be, and not sent that again.
        Raises `UnreachableError` or `DeclinedError`, after the last image that it could bring.
        """
        ...
