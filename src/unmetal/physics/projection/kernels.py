"""The loops of projection and backprojection, compiled by numba; one thread each, on arrays.

All of them work on eight copies of one slice or of four at once (`symmetry`, `lanes`), so that an
index and a weight are worked out once and serve whole vector registers. Loops run over blocks of
pixels that stay in the cache, and within a block over everything that meets it.

Arrays are rows of numbers, one for each pixel, bin or ray. Images that are projected have one
column of zeros before and two behind, and so have views that are backprojected: they stand for what
lies outside, so that nothing has to be asked at the edge.
"""

import math

import numpy as np

from unmetal.physics.projection.lanes import kernel, load, multiply_add, store

ROWS = 16
"""Rows of pixels in a block: 260 KB at 512 px, which the second-level cache holds beside the rays.
8 and 32 are as fast within 10 %, all rows at once are half as fast."""

TILE = (8, 64)
"""Rows and columns of pixels in a block of the filtered backprojection; all but as fast up to twice
and down to half of either."""

PARALLEL, ARC, FLAT = range(3)
"""Kinds of geometry, see `locate`."""

TINY = 1e-9
"""Pixels; in place of a distance of none or less."""


def _arctangent_terms(count: int) -> tuple[float, ...]:
    """Factors of x, x^3, ... of the Chebyshev series of atan: 2 (-1)^k q^(2k + 1) / (2k + 1) of
    T_(2k + 1), with q = sqrt(2) - 1; the first term that is left out bounds the error."""
    odd = 2 * np.arange(count) + 1
    series = np.zeros(2 * count)
    series[odd] = 2 * (-1.0) ** np.arange(count) * (math.sqrt(2) - 1) ** odd / odd
    return tuple(np.polynomial.chebyshev.cheb2poly(series)[1::2])


ARCTANGENT = np.array(_arctangent_terms(10))


@kernel
def project(image, width, start, slope, first, last, rays, begin, end):  # type: ignore[no-untyped-def]
    """Sums along rays `begin` to `end`, added to `rays`.

    Ray r crosses row i of `image`, `width` columns wide with its borders, at column
    `start[r] + slope[r] * i`, for `first[r] <= i < last[r]`; between two columns it interpolates
    linearly.
    """
    number = image.dtype.type
    for top in range(0, len(image) // width, ROWS):
        for r in range(begin, end):
            low, high = max(first[r], top), min(last[r], top + ROWS)
            if low < high:
                total = load(rays, r)
                for i in range(low, high):
                    across = start[r] + slope[r] * i
                    column = np.int32(across)
                    share = number(across - column)
                    pixel = i * width + column
                    total = multiply_add(total, number(1) - share, load(image, pixel))
                    total = multiply_add(total, share, load(image, pixel + 1))
                store(rays, r, total)


@kernel
def backproject(rays, start, slope, first, last, image, width, begin, end):  # type: ignore[no-untyped-def]
    """The transpose of `project` for the rows `begin` to `end` of `image`, added to it."""
    number = image.dtype.type
    for top in range(begin, end, ROWS):
        bottom = min(end, top + ROWS)
        for r in range(len(start)):
            low, high = max(first[r], top), min(last[r], bottom)
            if low < high:
                value = load(rays, r)
                for i in range(low, high):
                    across = start[r] + slope[r] * i
                    column = np.int32(across)
                    share = number(across - column)
                    pixel = i * width + column
                    store(image, pixel, multiply_add(load(image, pixel), number(1) - share, value))
                    store(image, pixel + 1, multiply_add(load(image, pixel + 1), share, value))


@kernel
def gather(views, cosine, sine, scanner, image, size, begin, end):  # type: ignore[no-untyped-def]
    """What the `views` say of each pixel, added to the rows `begin` to `end` of `image`, which is
    `size` columns wide and has no border.

    cosine, sine: of each view's angle. scanner: as for `locate`.
    """
    width = len(views) // len(cosine)
    bin_ = np.empty(TILE[1], np.int32)
    low, high = np.empty(TILE[1], image.dtype), np.empty(TILE[1], image.dtype)
    for top in range(begin, end, TILE[0]):
        for left in range(0, size, TILE[1]):
            count = min(TILE[1], size - left)
            for k in range(len(cosine)):
                for i in range(top, min(end, top + TILE[0])):
                    locate(scanner, cosine[k], sine[k], size, i, left, bin_, low, high)
                    for j in range(count):
                        pixel, first = i * size + left + j, k * width + bin_[j]
                        total = multiply_add(load(image, pixel), low[j], load(views, first))
                        total = multiply_add(total, high[j], load(views, first + 1))
                        store(image, pixel, total)


@kernel
def scatter(image, size, rows, cosine, sine, scanner, views, begin, end):  # type: ignore[no-untyped-def]
    """The transpose of `gather` from the first `rows` rows, for the views `begin` to `end`."""
    width = len(views) // len(cosine)
    bin_ = np.empty(TILE[1], np.int32)
    low, high = np.empty(TILE[1], image.dtype), np.empty(TILE[1], image.dtype)
    for k in range(begin, end):
        for i in range(rows):
            for left in range(0, size, TILE[1]):
                locate(scanner, cosine[k], sine[k], size, i, left, bin_, low, high)
                for j in range(min(TILE[1], size - left)):
                    value, first = load(image, i * size + left + j), k * width + bin_[j]
                    store(views, first, multiply_add(load(views, first), low[j], value))
                    store(views, first + 1, multiply_add(load(views, first + 1), high[j], value))


@kernel
def locate(scanner, cosine, sine, size, row, left, bin_, low, high):  # type: ignore[no-untyped-def]
    """Between which bins the pixels of a row, from column `left` on, are seen from a view, and the
    weights of the two: `Geometry.locate` with a pixel as the unit of length. Bins are counted from
    the border bin; what is seen beyond the detector lies in the borders.

    scanner: kind of geometry, pitch at the axis (radians for an arc), bins, source.
    """
    kind, pitch, bins, source = scanner
    middle, last, per_bin, per_source = (bins + 1) / 2, bins + 1.0, 1 / pitch, 1 / source
    y, x = (size - 1) / 2 - row, left - (size - 1) / 2
    # Across the central ray and along it, at the first pixel; the next ones follow by steps.
    across, along = x * cosine + y * sine, source + x * sine - y * cosine
    for j in range(TILE[1]):
        c, a = across + j * cosine, along + j * sine
        # Nothing is seen at the source and behind it: the least depth sends it off the detector.
        if kind == PARALLEL:
            place, weight = c, 1.0
        elif kind == FLAT:
            closer = 1 / max(a * per_source, TINY)
            place, weight = c * closer, closer * closer
        else:
            squared = max(c * c + a * a, TINY)
            place = 2 * arctangent(c / max(a + math.sqrt(squared), TINY))
            weight = 1 / squared
        place = min(max(place * per_bin + middle, 0.0), last)
        first = np.int32(place)
        bin_[j] = first
        high[j] = (place - first) * weight
        low[j] = (1 - (place - first)) * weight


@kernel
def arctangent(x):  # type: ignore[no-untyped-def]
    """atan(x) to 1e-9 for -1 <= x <= 1, a polynomial: the library's runs in no vector register."""
    z = x * x
    total = ARCTANGENT[-1]
    for n in range(len(ARCTANGENT) - 2, -1, -1):
        total = ARCTANGENT[n] + z * total
    return x * total
