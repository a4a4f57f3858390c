"""NIfTI against what ITK reads, and what comes back byte for byte."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from nibabel import Nifti1Header, Nifti2Header, load
from nibabel.nifti1 import Nifti1Extension

from unmetal.errors import InputError
from unmetal.files import Derivation, Output, as_stored, difference, read, write, write_all
from unmetal.files.header import orientation
from unmetal.scan import Volume

SIZES = (0.5, 0.75, 2.5)
PLACE = (-10.5, 20.25, 3.125)
AXES = [
    np.diag(signs)[:, order]
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]
"""All 48 ways in which image axes may lie along those of the patient, both hands."""

OBLIQUE = np.array([[-1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])


def make(
    path: Path,
    axes: np.ndarray = OBLIQUE,
    *,
    kind: str = "<i2",
    slope: tuple[float, float] = (1.0, 0.0),
    codes: tuple[int, int] = (1, 1),
    header: Nifti1Header | None = None,
    shape: tuple[int, ...] = (16, 12, 3),
) -> np.ndarray:
    """Write a NIfTI file by hand; returns the stored numbers [k j i]. codes: of sform and qform."""
    dtype = np.dtype(kind)
    header = Nifti1Header() if header is None else header
    header = header.as_byteswapped("<" if dtype.byteorder == "=" else dtype.byteorder)
    low = (-1000 - slope[1]) / slope[0]
    high = (2000 - slope[1]) / slope[0]
    values = np.random.default_rng(1).uniform(low, high, shape[::-1])
    stored = (values if dtype.kind == "f" else np.rint(values)).astype(dtype)
    affine = np.eye(4)
    affine[:3] = np.column_stack([axes @ np.diag(SIZES), PLACE])
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_qform(affine, codes[1])
    header.set_sform(affine, codes[0])
    header["pixdim"][1:4] = SIZES
    header.set_xyzt_units("mm", "sec")
    header.set_slope_inter(*slope)
    header["descrip"] = b"dcm2niix"
    header["cal_min"], header["cal_max"] = -160, 240
    save(path, header, stored)
    return stored


def save(path: Path, header: Nifti1Header, stored: np.ndarray) -> None:
    with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
        header.write_to(file)
        file.write(bytes(header.get_data_offset() - file.tell()))
        file.write(stored.tobytes())


def content(path: Path) -> bytes:
    held = path.read_bytes()
    return gzip.decompress(held) if path.suffix == ".gz" else held


def like_itk(path: Path) -> None:
    """Values, spacing and orientation are what SimpleITK reads."""
    volume, image = read(path), sitk.ReadImage(str(path))
    values = sitk.GetArrayFromImage(image)
    np.testing.assert_allclose(volume.hu.reshape(values.shape), values, rtol=1e-6, atol=1e-4)
    grid = volume.source
    np.testing.assert_allclose(grid.spacing, image.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(grid.origin, image.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(grid.direction, image.GetDirection(), atol=1e-6)


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_slices_and_axes_are_those_of_itk_however_they_lie(tmp_path, axes):
    make(tmp_path / "in.nii", axes)
    like_itk(tmp_path / "in.nii")


@pytest.mark.parametrize("codes", [(0, 0), (1, 0), (0, 1), (2, 1), (1, 2), (4, 4), (2, 0)], ids=str)
@pytest.mark.parametrize("kind", ["<i2", ">i2", "<u2", "<i4", ">f4", "<f8"])
def test_every_type_and_transform_is_read_as_itk_does(tmp_path, codes, kind):
    slope = (1.0, -1024.0) if kind == "<u2" else (1.0, 0.0)
    make(tmp_path / "in.nii.gz", kind=kind, codes=codes, slope=slope)
    like_itk(tmp_path / "in.nii.gz")


@pytest.mark.parametrize("shape", [(16, 12), (16, 12, 1), (16, 12, 3, 1), (16, 12, 3, 1, 1)])
def test_axes_of_length_one_do_not_count(tmp_path, shape):
    make(tmp_path / "in.nii", np.eye(3), shape=shape)
    like_itk(tmp_path / "in.nii")
    write(read(tmp_path / "in.nii"), tmp_path / "out.nii")
    assert load(tmp_path / "out.nii").shape == shape


@pytest.mark.parametrize(("unit", "scale"), [("meter", 1e-3), ("micron", 1e3)])
def test_lengths_are_in_mm_whatever_the_file_states_them_in(tmp_path, unit, scale):
    stored = make(tmp_path / "in.nii")
    header = load(tmp_path / "in.nii").header
    header.set_slope_inter(1, 0)
    affine = np.diag([scale, scale, scale, 1]) @ header.get_best_affine()
    header.set_qform(affine, 1)
    header.set_sform(affine, 1)
    header.set_xyzt_units(unit)
    save(tmp_path / "in.nii", header, stored)
    like_itk(tmp_path / "in.nii")
    assert read(tmp_path / "in.nii").spacing == pytest.approx(SIZES[::-1])


def test_a_sheared_sform_gives_way_to_the_qform(tmp_path):
    stored = make(tmp_path / "in.nii")
    header = load(tmp_path / "in.nii").header
    header.set_slope_inter(1, 0)
    header["srow_y"][2] += 0.9
    save(tmp_path / "in.nii", header, stored)
    like_itk(tmp_path / "in.nii")


def test_rows_and_columns_point_as_the_header_says(tmp_path):
    make(tmp_path / "in.nii", np.diag([-1.0, -1.0, 1.0]))
    assert orientation(read(tmp_path / "in.nii")) == pytest.approx((1, 0, 0, 0, 1, 0))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    ("kind", "slope"),
    [("<i2", (1.0, -1024.0)), (">i2", (1.0, 0.0)), ("<u2", (0.5, -1000.0)), ("<f4", (2.0, 3.0))],
)
@pytest.mark.parametrize("header", [Nifti1Header, Nifti2Header])
def test_what_comes_back_differs_in_the_changed_numbers_and_in_the_note(
    tmp_path, suffix, kind, slope, header
):
    source, result = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    extended = header()
    extended.extensions.append(Nifti1Extension("comment", b"kept"))
    stored = make(source, kind=kind, slope=slope, header=extended)
    volume = read(source)
    hu = volume.hu.copy()
    np.testing.assert_allclose(hu, stored * slope[0] + slope[1], rtol=1e-6)
    hu[1, 2, 3] = 41.0
    write(volume.with_hu(hu), result)
    before, after = bytearray(content(source)), bytearray(content(result))
    note = slice(148, 228) if header is Nifti1Header else slice(240, 320)
    assert after[note].startswith(b"made by unmetal: MAR, research only; dcm2niix\0")
    after[note] = before[note]
    changed = np.flatnonzero(np.frombuffer(before, "u1") != np.frombuffer(after, "u1"))
    offset = load(source).dataobj.offset
    itemsize = np.dtype(kind).itemsize
    assert set((changed - offset) // itemsize) == {(1 * 12 + 2) * 16 + 3}
    again = read(result)
    assert again.hu[1, 2, 3] == pytest.approx(41, abs=slope[0] / 2)
    np.testing.assert_array_equal(again.hu, as_stored(volume.with_hu(hu))[0].hu)
    assert again.meta["stored_as"] == volume.meta["stored_as"]
    assert result.stat().st_size == pytest.approx(source.stat().st_size, rel=0.1)


def test_the_same_image_gives_the_same_bytes(tmp_path):
    make(tmp_path / "in.nii.gz")
    volume = read(tmp_path / "in.nii.gz")
    write(volume, tmp_path / "a.nii.gz")
    write(volume, tmp_path / "b.nii.gz")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_a_difference_and_a_mask_lie_on_the_grid_of_the_source(tmp_path):
    stored = make(tmp_path / "in.nii.gz", kind="<u2", slope=(0.5, -1000.0))
    before = read(tmp_path / "in.nii.gz")
    after = before.with_hu(before.hu + 100 * (before.hu > 500))
    mask = before.hu > 1500
    write_all(
        [
            Output(after, tmp_path / "out.nii.gz"),
            Output(difference(before, after), tmp_path / "difference.nii.gz"),
            Output(before, tmp_path / "metal.nii.gz", mask=mask),
        ]
    )
    change, metal = (load(tmp_path / f"{name}.nii.gz") for name in ("difference", "metal"))
    result = np.asarray(load(tmp_path / "out.nii.gz").dataobj.get_unscaled()).T
    np.testing.assert_array_equal(stored + change.dataobj.get_unscaled().T, result)
    np.testing.assert_array_equal(np.asarray(change.dataobj).T, after.hu - before.hu)
    np.testing.assert_array_equal(np.asarray(metal.dataobj).T, mask)
    assert (metal.get_data_dtype(), metal.header["cal_max"]) == (np.uint8, 0)
    for image in (change, metal):
        np.testing.assert_array_equal(image.affine, load(tmp_path / "in.nii.gz").affine)


@pytest.mark.parametrize("slope", [(1.0, 0.0), (1.0, -1024.0)])
def test_nifti_and_metaimage_are_exchanged_with_their_geometry(tmp_path, slope):
    make(tmp_path / "in.nii.gz", kind="<u2" if slope[1] else "<i2", slope=slope)
    volume = read(tmp_path / "in.nii.gz")
    write(volume, tmp_path / "out.mha")
    write(read(tmp_path / "out.mha"), tmp_path / "back.nii")
    back = read(tmp_path / "back.nii")
    np.testing.assert_array_equal(back.hu, volume.hu)
    np.testing.assert_allclose(
        load(tmp_path / "back.nii").affine, load(tmp_path / "in.nii.gz").affine
    )
    one, other = (sitk.ReadImage(str(tmp_path / name)) for name in ("in.nii.gz", "out.mha"))
    np.testing.assert_allclose(one.GetDirection(), other.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(one.GetOrigin(), other.GetOrigin(), atol=1e-5)


def test_a_volume_made_in_memory_lies_along_the_patient(tmp_path):
    hu = np.linspace(-1000, 1000, 24, dtype=np.float32).reshape(2, 3, 4)
    write(Volume(hu, (2.5, 0.75, 0.5)), tmp_path / "out.nii.gz")
    like_itk(tmp_path / "out.nii.gz")
    assert sitk.ReadImage(str(tmp_path / "out.nii.gz")).GetDirection() == (
        1,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        1,
    )


@pytest.mark.parametrize(
    ("shape", "code", "bits", "expected"),
    [
        ((16, 12, 3, 2), 4, 16, "4 axes"),
        ((16,), 4, 16, "1 axes"),
        ((16, 12, 3), 32, 64, "complex64"),
        ((16, 12, 3), 128, 24, "colours"),
        ((16, 12, 3), 2, 8, "8 bits"),
        ((16, 12, 3), 1, 1, "one HU per voxel"),
        ((16, 12, 30), 4, 16, "truncated: 1504 of 11872 bytes"),
        ((16, -12, 3), 4, 16, "damaged"),
        ((16, 0, 3), 4, 16, "damaged"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_refusals(tmp_path, shape, code, bits, expected, suffix):
    path = tmp_path / f"in{suffix}"
    make(path)
    held = bytearray(content(path))
    dim = (len(shape), *shape, *(1,) * (7 - len(shape)))
    held[40:56] = struct.pack("<8h", *dim)
    held[70:74] = struct.pack("<hh", code, bits)
    path.write_bytes(gzip.compress(held) if suffix == ".nii.gz" else held)
    with pytest.raises(InputError, match=r"in\.nii") as caught:
        read(path)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_header_whose_voxels_lie_elsewhere_is_refused(tmp_path):
    make(tmp_path / "in.nii")
    held = (tmp_path / "in.nii").read_bytes()
    (tmp_path / "in.nii").write_bytes(held[:344] + b"ni1\0" + held[348:])
    with pytest.raises(InputError, match="in another file"):
        read(tmp_path / "in.nii")


def test_a_flipped_bit_in_a_compressed_file_is_found(tmp_path):
    make(tmp_path / "in.nii.gz")
    held = bytearray((tmp_path / "in.nii.gz").read_bytes())
    held[-6] ^= 1  # of the checksum
    (tmp_path / "in.nii.gz").write_bytes(held)
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path / "in.nii.gz")


def test_without_simpleitk_nifti_is_read_and_metaimage_says_what_to_install(tmp_path, monkeypatch):
    make(tmp_path / "in.nii")
    volume = read(tmp_path / "in.nii")
    write(volume, tmp_path / "out.mha")
    monkeypatch.setitem(__import__("sys").modules, "SimpleITK", None)
    monkeypatch.delitem(__import__("sys").modules, "unmetal.files.itk")
    assert read(tmp_path / "in.nii").hu.shape == (3, 12, 16)
    for use in (
        lambda: read(tmp_path / "out.mha"),
        lambda: write(volume, tmp_path / "new.nrrd"),
    ):
        with pytest.raises(
            InputError, match=r"SimpleITK is not installed: pip install '\.\[itk\]'"
        ):
            use()
    assert not (tmp_path / "new.nrrd").exists()
    write(volume, tmp_path / "MAR.nii", derivation=Derivation("ADN"))
