"""Small archives laid out as DeepLesion, SpineWeb and a hospital's are, of drawn slices."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from ct_files import ct_image, save
from PIL import Image
from pydicom.uid import generate_uid

from unmetal.cohorts.prepared import FOLDER

SIDE = 64


def slice_of(metal: int = 0, top: int = 1200, seed: int = 0) -> np.ndarray:
    """HU `[64 64]`: an oval body with noise, one pixel of `top` HU, and a piece of `metal` pixels
    of 3000 HU in rows of 25."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    hu = np.where(((rows - 32) / 24) ** 2 + ((columns - 32) / 28) ** 2 < 1, 40.0, -1000.0)
    hu += np.random.default_rng(seed).integers(-9, 10, hu.shape)
    hu[32, 8] = top
    for place in range(metal):
        hu[20 + place // 25, 20 + place % 25] = 3000
    return hu


def series(
    folder: Path, patient: str, slices: list[np.ndarray], name: str = "a", **changes: Any
) -> None:
    """A DICOM series of a patient: a file for each slice."""
    for number, hu in enumerate(slices):
        of_it = {
            "Rows": hu.shape[0],
            "Columns": hu.shape[1],
            "PixelSpacing": [1.5, 1.5],
            "PatientID": patient,
            "PatientName": f"{patient}^Name",
            "StudyInstanceUID": generate_uid(entropy_srcs=[patient]),
            "SeriesInstanceUID": generate_uid(entropy_srcs=[patient, name]),
            "SOPInstanceUID": generate_uid(entropy_srcs=[patient, name, str(number)]),
            "PixelData": (hu + 1024).clip(0, 4095).astype("<u2").tobytes(),
        }
        image = ct_image(number, 2.5 * number, **of_it | changes)
        save(image, folder / f"IM{number:03}.dcm")


def hospital(
    root: Path, affected: int = 3, clean: int = 3, slices: int = 3, **changes: Any
) -> Path:
    """A tree of DICOM: patients with a rod in every slice, and patients without."""
    for number in range(affected):
        drawn = [slice_of(450, seed=10 * number + k) for k in range(slices)]
        series(root / f"ROE^JANE{number}" / "CT", f"roe-{number}", drawn, **changes)
    for number in range(clean):
        drawn = [slice_of(seed=1000 + 10 * number + k) for k in range(slices)]
        series(root / f"DOE^JOHN{number}" / "CT", f"doe-{number}", drawn, **changes)
    return root


def deeplesion(root: Path, slices: Mapping[str, np.ndarray]) -> Path:
    """`Images_png/` with slices, HU `[H W]`, by `SERIES/SLICE.png`."""
    for name, hu in slices.items():
        path = root / "Images_png" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((hu + 32768).astype(np.uint16)).save(path)
    return root


def spineweb(root: Path, volumes: Mapping[str, np.ndarray]) -> Path:
    """Volumes, HU `[slices H W]`, by `spine-1/patient0001/1/1.nii.gz` or `.mhd`."""
    for name, hu in volumes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = sitk.GetImageFromArray(hu.astype(np.int16))
        image.SetSpacing((0.5, 0.5, 2.0))
        sitk.WriteImage(image, str(path))
    return root


def manifest(output: Path) -> list[dict[str, str]]:
    """Its lines."""
    with (output / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def slices(output: Path) -> np.ndarray:
    """int16 `[N 256 256]`, HU: all slices of a cohort."""
    shards = [np.load(path) for path in sorted((output / FOLDER).glob("hu-*.npy"))]
    return np.concatenate(shards)


def everything(output: Path) -> bytes:
    """All names and contents below a folder, text of compressed arrays included."""
    found = b""
    for path in sorted(output.rglob("*")):
        found += path.relative_to(output).as_posix().encode() + b"\n"
        if path.suffix == ".npz":
            with np.load(path) as held:
                found += repr({name: held[name].tolist() for name in held if name != "hu"}).encode()
        elif path.is_file():
            found += path.read_bytes()
    return found
