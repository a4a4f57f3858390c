"""The pixel size of formats that state none."""

from __future__ import annotations

FIELD_MM = 384.0
"""Assumed width of an image: between a head (220 mm) and a large body (500 mm)."""


def pixel_size(columns: int, given: float | None) -> tuple[float, list[str]]:
    """Pixel size in mm for an image `columns` wide, and the warning if it is an assumption."""
    if given is not None:
        return given, []
    size = FIELD_MM / columns
    return size, [
        f"the format states no pixel size: taking {size:g} mm ({FIELD_MM:g} mm across); "
        "--spacing MM says another"
    ]
