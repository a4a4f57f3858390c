"""The names of the weights in the package; imports nothing slow."""

from pathlib import Path

RELEASED = Path(__file__).parent
"""Where the package keeps its weights."""


def released() -> list[str]:
    """Names of the weights in the package."""
    return sorted(path.parent.name for path in RELEASED.glob("*/card.md"))


def folder_of(name: str) -> Path:
    """Where released weights lie."""
    return RELEASED / name
