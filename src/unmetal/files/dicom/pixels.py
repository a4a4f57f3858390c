"""The pixels of one CT image: decoded, checked, and what the stored numbers mean.

DICOM PS3.3 sections C.7.6.3 (Image Pixel), C.7.5.1.1.2 (Pixel Padding) and C.8.2.1 (CT Image).
"""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels import compress, pixel_array

from unmetal.errors import InputError, short_error, suppress_c_stderr
from unmetal.files.derivation import Compression

MAX_PIXELS = 2**24
"""Rows times columns of the largest image that is read: 4096 x 4096. The largest CT matrix in use
is 2048 x 2048."""

SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xF7}
"""Markers of JPEG and JPEG-LS frame headers."""

HOUNSFIELD = {"HU", "HU_MOD", "US", ""}
"""RescaleType that may be HU: `US` is unspecified, and what many CTs write."""

SYNTAXES = {"rle": uid.RLELossless, "jpegls": uid.JPEGLSLossless, "j2k": uid.JPEG2000Lossless}


def decode(dataset: Dataset, where: str) -> np.ndarray:
    """Stored numbers `[H W]`, in native byte order and the width the header allocates.

    Raises `InputError` for pixels that are not one 16- or 32-bit grey value each, missing,
    truncated, or in an encoding that nothing here decodes.
    """
    if "PixelData" not in dataset:
        raise InputError(f"{where}: has no pixel data: is it truncated or a header only?")
    if dataset.get("SamplesPerPixel", 1) != 1 or "MONO" not in str(
        dataset.get("PhotometricInterpretation", "MONO")
    ):
        raise InputError(f"{where}: a colour picture: give CT images")
    if (bits := dataset.get("BitsAllocated")) not in {16, 32}:
        raise InputError(f"{where}: {bits}-bit pixels: give CT images of 16 bits")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax == uid.JPEGExtended12Bit:
        raise InputError(
            f"{where}: 12-bit lossy JPEG, which no decoder here reads: ask for an uncompressed copy"
        )
    _require_end(dataset, where)
    try:
        require_matrix(dataset, where)
        with suppress_c_stderr():
            stored = pixel_array(dataset)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{where}: pixels cannot be decoded: {short_error(error)}") from error
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def slope_intercept(dataset: Dataset, where: str) -> tuple[float, float]:
    """Slope and intercept in HU; per image, for some scanners vary them within a series.

    Raises `InputError` for a slope of 0, a look-up table, or values that the header says are no HU.
    """
    if "ModalityLUTSequence" in dataset:
        raise InputError(
            f"{where}: HU by a look-up table: give images with rescale slope and intercept"
        )
    kind = str(dataset.get("RescaleType") or "").strip().upper()
    if kind not in HOUNSFIELD:
        raise InputError(f"{where}: values are {kind}, not HU: give the CT images themselves")
    slope, intercept = dataset.get("RescaleSlope"), float(dataset.get("RescaleIntercept") or 0.0)
    slope = 1.0 if slope is None else float(slope)
    if slope == 0:
        raise InputError(f"{where}: rescale slope is 0: the header is damaged")
    return slope, intercept


def stored_limits(dataset: Dataset) -> tuple[int, int]:
    """Lowest and highest number that BitsStored and PixelRepresentation can hold."""
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    if dataset.get("PixelRepresentation", 0):
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def padding_mask(dataset: Dataset, stored: np.ndarray) -> np.ndarray:
    """bool `[H W]`: pixels that hold PixelPaddingValue, or lie between it and its range limit."""
    ends = [dataset.get("PixelPaddingValue"), dataset.get("PixelPaddingRangeLimit")]
    numbers = [_as_stored(end, stored.dtype) for end in ends if isinstance(end, int)]
    if not isinstance(ends[0], int):
        return np.zeros(stored.shape, bool)
    return (stored >= min(numbers)) & (stored <= max(numbers))


def encode_file(image: Dataset, stored: np.ndarray, how: Compression | None) -> bytes:
    """A DICOM file with `stored`, integers `[H W]`, for pixels.

    Raises `ValueError` where an encoder would not give the same numbers back.
    """
    image.file_meta = meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    raw = stored.astype(stored.dtype.newbyteorder("<"))
    image.add_new("PixelData", "OW", raw.tobytes())
    if how is not None:
        _compress(image, raw, how)
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def require_matrix(dataset: Dataset, where: str) -> None:
    """Raise InputError for more than `MAX_PIXELS`, by the header or the compressed image itself."""
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    if rows * columns > MAX_PIXELS:
        raise InputError(f"{where}: {columns} x {rows} pixels: larger than any CT image")
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_encapsulated:
        return
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1), b"")
    size = encoded_size(frame) or (rows, columns)
    if size != (rows, columns):
        raise InputError(
            f"{where}: pixels cannot be decoded: {size[1]} x {size[0]} of them, by the header "
            f"{columns} x {rows}"
        )


def encoded_size(frame: bytes) -> tuple[int, int] | None:
    """Rows and columns that a compressed image states; None where it does not say.

    JPEG and JPEG-LS: the frame header SOFn (ITU-T T.81 B.2.2, T.87 C.2.2); JPEG 2000: SIZ
    (ITU-T T.800 A.5.1).
    """
    place = frame.find(b"\xff\x4f\xff\x51", 0, 128)
    if place >= 0 and len(frame) >= place + 24:
        columns, rows, left, top = struct.unpack_from(">4I", frame, place + 8)
        return rows - top, columns - left
    place = 2 if frame[:2] == b"\xff\xd8" else len(frame)
    while place + 9 <= len(frame) and frame[place] == 0xFF:
        marker, length = frame[place + 1], struct.unpack_from(">H", frame, place + 2)[0]
        if marker in SOF:
            rows, columns = struct.unpack_from(">2H", frame, place + 5)
            return rows, columns
        place += 2 + length
    return None


def _require_end(dataset: Dataset, where: str) -> None:
    """Raise InputError for a lossless JPEG without its end-of-image marker (ITU-T T.81, B.2.1):
    libjpeg makes up what is missing and warns nobody."""
    lossless = dataset.file_meta.get("TransferSyntaxUID") in {uid.JPEGLossless, uid.JPEGLosslessSV1}
    if lossless and not dataset.PixelData.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise InputError(f"{where}: pixels cannot be decoded: the JPEG has no end")


def _as_stored(value: int, dtype: np.dtype) -> int:
    """A number of the header in the pixels' type: -2000 is often written as unsigned 63536."""
    return int(np.array(value & (2 ** (8 * dtype.itemsize) - 1), np.uint64).astype(dtype))


def _compress(image: Dataset, raw: np.ndarray, how: Compression) -> None:
    """Encoders differ in what they make of numbers beyond BitsStored: decode, and compare."""
    with suppress_c_stderr():
        compress(image, SYNTAXES[how], raw, generate_instance_uid=False)
        back = pixel_array(image)
    if not np.array_equal(back, raw):
        raise ValueError(f"{how} does not keep every stored number: compress otherwise, or not")
