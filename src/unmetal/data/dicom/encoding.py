"""Stored numbers into a header: as they are, or compressed without loss, as bytes of a file."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import compress, pixel_array
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from unmetal.data.derivation import Compression
from unmetal.data.quiet import quiet

SYNTAXES = {"rle": RLELossless, "jpegls": JPEGLSLossless, "j2k": JPEG2000Lossless}


def file_of(image: Dataset, stored: np.ndarray, how: Compression | None) -> bytes:
    """A DICOM file with `stored`, integers `[H W]`, for pixels.

    Raises `ValueError` where an encoder would not give the same numbers back.
    """
    image.file_meta = _file_meta(image)
    raw = stored.astype(stored.dtype.newbyteorder("<"))
    image.add_new("PixelData", "OW", raw.tobytes())
    if how is not None:
        _compress(image, raw, how)
    buffer = BytesIO()
    image.save_as(buffer, enforce_file_format=True, implicit_vr=False, little_endian=True)
    return buffer.getvalue()


def _compress(image: Dataset, raw: np.ndarray, how: Compression) -> None:
    """Encoders differ in what they make of numbers beyond BitsStored: decode, and compare."""
    with quiet():
        compress(image, SYNTAXES[how], raw, generate_instance_uid=False)
        back = pixel_array(image)
    if not np.array_equal(back, raw):
        raise ValueError(f"{how} does not keep every stored number: compress otherwise, or not")


def _file_meta(image: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return meta
