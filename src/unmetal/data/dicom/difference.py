"""What was changed, as a CT series of its own: signed HU, in the steps that the source stores."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset

from unmetal.data.dicom.reading import Series, Slice, tolerant
from unmetal.data.reasons import why
from unmetal.errors import InputError

WINDOW_HU = (0, 400)
"""Centre and width that viewers show at first: changes of 200 HU either way."""

STALE = (
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "VOILUTSequence",
    "VOILUTFunction",
    "WindowCenterWidthExplanation",
)
"""Said about values in HU, not about differences of them."""


def blank(series: Series) -> Series:
    """The difference in which nothing was changed: signed, without an intercept, with the
    source's slope, so that source + difference is the result in stored numbers.

    Raises:
        InputError: a header that cannot be copied.
    """
    with tolerant():
        return Series(tuple(map(_slice, series.slices)), series.layout)


def _slice(source: Slice) -> Slice:
    bits = int(source.header.BitsAllocated)
    stored = np.zeros(source.stored.shape, np.dtype(f"i{bits // 8}"))
    try:
        header = _header(source, bits)
    except Exception as error:  # what pydicom raises depends on which value makes no sense
        raise InputError(f"{source.name}: its header cannot be copied: {why(error)}") from error
    return replace(source, header=header, stored=stored, intercept=0.0)


def _header(source: Slice, bits: int) -> Dataset:
    header = deepcopy(source.header)
    for keyword in STALE:
        if keyword in header:
            delattr(header, keyword)
    header.PixelRepresentation = 1
    header.BitsStored, header.HighBit = bits, bits - 1
    header.RescaleIntercept = 0
    header.WindowCenter, header.WindowWidth = WINDOW_HU
    return header
