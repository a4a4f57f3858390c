"""Whether numbers can be HU at all, and which pixels a scanner filled in."""

from __future__ import annotations

import numpy as np

from unmetal.errors import InputError

PIXEL_MM = (0.01, 25.0)
"""Smallest and largest pixels: micro-CT, and a whole body in 32 x 32."""

BELOW_AIR = -1100
"""HU. Air is -1000; noise and undershoot reach lower, but not in every pixel of a series."""


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


def filler(hu: np.ndarray) -> np.ndarray | None:
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


def objection(hu: np.ndarray, padding: np.ndarray | None, form: str, where: str) -> list[str]:
    """Raise InputError for values that cannot be HU; return warnings for those that are odd.

    Args:
        hu: `[slices H W]`, finite.
        padding: bool of that shape: pixels that do not count.
        form: the format; the header of `dicom` says itself that its values are HU.
        where: the file, for the message.
    """
    inside = hu if padding is None else hu[~padding]
    if not inside.size:
        raise InputError(f"{where}: holds nothing but padding below -1024 HU")
    low, high = float(inside.min()), float(inside.max())
    found = f"{where}: values from {low:g} to {high:g} are not HU"
    if high < BELOW_AIR and form == "png":
        raise InputError(f"{found}: a 16-bit .png must store HU + 32768, as DeepLesion does")
    if high < BELOW_AIR or high > 1e6:
        raise InputError(f"{found}: air should be -1000 and water 0")
    if form == "dicom" or low == high:
        return []
    if low >= -2 and high <= 20:
        raise InputError(f"{found}: is it attenuation in 1/cm or a normalised image? give HU")
    if low >= 0 and high <= 255:
        raise InputError(f"{found}: is it an 8-bit picture or a mask? give HU (air -1000, water 0)")
    return ["no value is below 0 HU; air should be -1000"] if low >= 0 else []
