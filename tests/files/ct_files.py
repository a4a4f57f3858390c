"""Small synthetic CT images, and what several tests ask of files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIZE = (36, 40)
"""Rows, columns: not square, so that a transposed image cannot pass."""


def ct_image(number: int, z: float, **changes: Any) -> Dataset:
    """One CT image at height `z` mm; `changes` are keywords, None removes an element."""
    rng = np.random.default_rng(number)
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = generate_uid(entropy_srcs=["image", str(number), str(z)])
    image.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    image.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    image.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
    image.PatientName = "Nobody^Known"
    image.PatientID = "secret-7"
    image.Modality = "CT"
    image.Manufacturer = "Maker"
    image.ManufacturerModelName = "Model"
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.SeriesNumber = 3
    image.SeriesDescription = "Thorax 2.5"
    image.InstanceNumber = number
    image.KVP = "120"
    image.ConvolutionKernel = ["B30f", "3"]
    image.SliceThickness = "2.5"
    image.ImagePositionPatient = [-10.0, -20.0, z]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [0.75, 0.5]
    image.Rows, image.Columns = SIZE
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    image.RescaleIntercept, image.RescaleSlope = -1024, 1
    image.RescaleType = "HU"
    image.PixelData = rng.integers(0, 4096, SIZE).astype("<u2").tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(image, keyword)
        else:
            setattr(image, keyword, value)
    return image


def save(image: Dataset, path: Path) -> Path:
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    syntax = image.file_meta.TransferSyntaxUID
    implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
    if not little:
        # Decodes every value first: pydicom only writes the endianness that it knows.
        image.walk(lambda *_: None)
        image.set_original_encoding(implicit, little, "iso8859")
    image.save_as(path, enforce_file_format=True, implicit_vr=implicit, little_endian=little)
    return path


def hashes(folder: Path) -> dict[str, str]:
    """Every file below `folder` and what is in it."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }
