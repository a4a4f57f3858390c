"""Stored numbers to HU and back; whether values can be HU; pixel sizes that are not stated."""

from __future__ import annotations

import numpy as np

from unmetal.errors import InputError

FIELD_MM = 384.0
"""Assumed width of an image: between a head (220 mm) and a large body (500 mm)."""

PIXEL_MM = (0.01, 25.0)
"""Smallest and largest pixels: micro-CT, and a whole body in 32 x 32."""

BELOW_AIR = -1100
"""HU. Air is -1000; noise and undershoot reach lower, but not in every pixel of a series."""


def to_hu(stored: np.ndarray, slope: float = 1.0, intercept: float = 0.0) -> np.ndarray:
    """float32 HU of stored numbers, any shape; computed in float64 so that writing is its inverse.

    What exceeds float32 becomes infinite, which readers refuse.
    """
    with np.errstate(over="ignore"):
        return (stored.astype(np.float64) * slope + intercept).astype(np.float32)


def to_stored(
    hu: np.ndarray,
    stored: np.ndarray,
    limits: tuple[int, int] | None = None,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> tuple[np.ndarray, int]:
    """Numbers to store, and how many of them had to be clipped.

    A pixel whose HU is still that of `stored` keeps its stored number; the others are rounded to
    the nearest one within `limits` (by default all that an integer type holds).

    Args:
        hu: float32, any shape.
        stored: what the source held, of the same shape.
        limits: lowest and highest number that the format can hold.
        slope, intercept: HU per stored number, and HU of the number 0.
    """
    changed = hu != to_hu(stored, slope, intercept)
    exact = (hu[changed].astype(np.float64) - intercept) / slope
    result = stored.copy()
    clipped = 0
    if stored.dtype.kind in "iu":
        kind = np.iinfo(stored.dtype)
        low, high = limits or (kind.min, kind.max)
        exact = np.rint(exact)
        clipped = int(((exact < low) | (exact > high)).sum())
        exact = exact.clip(low, high)
    result[changed] = exact.astype(stored.dtype)
    return result, clipped


def read_back(
    hu: np.ndarray,
    stored: np.ndarray,
    limits: tuple[int, int] | None = None,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> tuple[np.ndarray, int]:
    """HU as `to_hu` gives it of what `to_stored` makes, and how many values were clipped."""
    numbers, clipped = to_stored(hu, stored, limits, slope, intercept)
    return to_hu(numbers, slope, intercept), clipped


def pixel_size(columns: int, given: float | None) -> tuple[float, list[str]]:
    """Pixel size in mm for an image `columns` wide, and the warning if it is an assumption."""
    if given is not None:
        return given, []
    size = FIELD_MM / columns
    return size, [
        f"the format states no pixel size: taking {size:g} mm ({FIELD_MM:g} mm across); "
        "--spacing MM says another"
    ]


def require_finite(hu: np.ndarray, where: str) -> None:
    """Raise InputError where a value is NaN or infinite. `hu`: any shape."""
    bad = hu.size - int(np.isfinite(hu).sum())
    if bad:
        raise InputError(f"{where}: {bad} values are NaN or infinite: replace them by HU first")


def require_size(spacing: tuple[float, float, float], where: str) -> None:
    """Raise InputError for voxels, (slice, row, column) in mm, of a size that no scanner makes."""
    if not all(PIXEL_MM[0] <= mm <= PIXEL_MM[1] for mm in spacing[1:]):
        raise InputError(
            f"{where}: a pixel size of {spacing[1]:g} x {spacing[2]:g} mm: the header is damaged, "
            "or its unit is not mm"
        )
    if not 0 < spacing[0] < 1000:
        raise InputError(f"{where}: slices {spacing[0]:g} mm apart: the header is damaged")


def detect_padding(hu: np.ndarray) -> np.ndarray | None:
    """bool `[slices H W]`: pixels outside the field of view that no header declares, or None.

    Scanners fill them with one value below the scale's -1024 HU (-3024 GE, -2048 others), in
    every corner of a slice.
    """
    corners = hu[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    value = corners[:, :1]
    filled = (corners == value).all(axis=1) & (value[:, 0] < -1024)
    if not filled.any():
        return None
    return (hu == value[:, :, None]) & filled[:, None, None]


def check_hu_range(
    hu: np.ndarray, padding: np.ndarray | None, format: str, where: str
) -> list[str]:
    """Raise InputError for values that cannot be HU; return warnings for those that are odd.

    Args:
        hu: `[slices H W]`, finite.
        padding: bool of that shape: pixels that do not count.
        format: the header of `dicom` says itself that its values are HU.
        where: the file, for the message.
    """
    inside = hu if padding is None else hu[~padding]
    if not inside.size:
        raise InputError(f"{where}: holds nothing but padding below -1024 HU")
    low, high = float(inside.min()), float(inside.max())
    found = f"{where}: values from {low:g} to {high:g} are not HU"
    if high < BELOW_AIR and format == "png":
        raise InputError(f"{found}: a 16-bit .png must store HU + 32768, as DeepLesion does")
    if high < BELOW_AIR or high > 1e6:
        raise InputError(f"{found}: air should be -1000 and water 0")
    if format == "dicom" or low == high:
        return []
    if low >= -2 and high <= 20:
        raise InputError(f"{found}: is it attenuation in 1/cm or a normalised image? give HU")
    if low >= 0 and high <= 255:
        raise InputError(f"{found}: is it an 8-bit picture or a mask? give HU (air -1000, water 0)")
    return ["no value is below 0 HU; air should be -1000"] if low >= 0 else []
