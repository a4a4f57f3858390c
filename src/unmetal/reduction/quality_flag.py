"""A reason to distrust a result, at one of two levels."""

from dataclasses import dataclass
from typing import Literal

MISREAD = {
    "not-ct",
    "localizer",
    "reformat",
    "again",
    "no-body",
    "8-bit",
    "far",
    "flips",
    "clipped",
    "weights",
}
"""Keys of what a reader of the result would misread: it touches what the pictures show. All others
say that a series is unusual: outside of what the method was measured on."""

Level = Literal["misread", "unusual"]


@dataclass(frozen=True)
class QualityFlag:
    """One reason to distrust a result."""

    key: str
    """A short name, for the end of a series description: `kvp`."""

    message: str
    """A sentence with the number found and the numbers expected."""

    @property
    def level(self) -> Level:
        """Whether a reader would misread something, or the series is unusual."""
        return "misread" if self.key in MISREAD else "unusual"
