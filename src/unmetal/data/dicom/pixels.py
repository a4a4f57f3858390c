"""The pixels of one CT image: decoded, checked, and what the stored numbers mean.

DICOM PS3.3 sections C.7.6.3 (Image Pixel), C.7.5.1.1.2 (Pixel Padding) and C.8.2.1 (CT Image).
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from unmetal.data.dicom.bounded import require_matrix
from unmetal.data.quiet import quiet
from unmetal.data.reasons import why
from unmetal.errors import InputError

HOUNSFIELD = {"HU", "HU_MOD", "US", ""}
"""RescaleType that may be HU: `US` is unspecified, and what many CTs write."""


def decode(dataset: Dataset, where: str) -> np.ndarray:
    """Stored numbers `[H W]`, in native byte order and the width the header allocates.

    Raises:
        InputError: not one 16- or 32-bit grey value per pixel, missing, truncated, or in an
            encoding that nothing here decodes.
    """
    if "PixelData" not in dataset:
        raise InputError(f"{where}: has no pixel data: is it truncated or a header only?")
    if dataset.get("SamplesPerPixel", 1) != 1 or "MONO" not in str(
        dataset.get("PhotometricInterpretation", "MONO")
    ):
        raise InputError(f"{where}: a colour picture: give CT images")
    if dataset.get("BitsAllocated") not in {16, 32}:
        raise InputError(
            f"{where}: {dataset.get('BitsAllocated')}-bit pixels: give CT images of 16 bits"
        )
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax == JPEGExtended12Bit:
        raise InputError(
            f"{where}: 12-bit lossy JPEG, which no decoder here reads: ask for an uncompressed copy"
        )
    _require_end(dataset, where)
    try:
        require_matrix(dataset, where)
        with quiet():
            stored = pixel_array(dataset)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{where}: pixels cannot be decoded: {why(error)}") from error
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def _require_end(dataset: Dataset, where: str) -> None:
    """Raise InputError for a lossless JPEG without its end-of-image marker (ITU-T T.81, B.2.1).

    libjpeg makes up what is missing and warns nobody.
    """
    if dataset.file_meta.get("TransferSyntaxUID") not in {JPEGLossless, JPEGLosslessSV1}:
        return
    if not dataset.PixelData.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise InputError(f"{where}: pixels cannot be decoded: the JPEG has no end")


def rescale(dataset: Dataset, where: str) -> tuple[float, float]:
    """Slope and intercept in HU; per image, for some scanners vary them within a series.

    Raises:
        InputError: a slope of 0, a look-up table, or values that are not HU by the header.
    """
    if "ModalityLUTSequence" in dataset:
        raise InputError(
            f"{where}: HU by a look-up table: give images with rescale slope and intercept"
        )
    kind = str(dataset.get("RescaleType") or "").strip().upper()
    if kind not in HOUNSFIELD:
        raise InputError(f"{where}: values are {kind}, not HU: give the CT images themselves")
    slope = dataset.get("RescaleSlope")
    intercept = dataset.get("RescaleIntercept")
    slope, intercept = (1.0 if slope is None else float(slope)), float(intercept or 0.0)
    if slope == 0:
        raise InputError(f"{where}: rescale slope is 0: the header is damaged")
    return slope, intercept


def limits(dataset: Dataset) -> tuple[int, int]:
    """Lowest and highest number that BitsStored and PixelRepresentation can hold."""
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    if dataset.get("PixelRepresentation", 0):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def padding(dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """bool `[H W]`: pixels that hold PixelPaddingValue, or lie between it and its range limit."""
    ends = [dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")]
    numbers = [_as_stored(end, stored.dtype) for end in ends if isinstance(end, int)]
    if not isinstance(ends[0], int):
        return np.zeros(stored.shape, bool)
    return (stored >= min(numbers)) & (stored <= max(numbers))


def _as_stored(value: int, dtype: np.dtype) -> int:
    """A number of the header in the pixels' type: -2000 is often written as unsigned 63536."""
    return int(np.array(value & (2 ** (8 * dtype.itemsize) - 1), np.uint64).astype(dtype))
