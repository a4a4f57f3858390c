"""The formats without patients: arrays, pictures, NIfTI and its kin. Exact both ways."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from ct_files import hashes
from PIL import Image

from unmetal.errors import InputError
from unmetal.files import Derivation, read, write
from unmetal.scan import Volume

ITK = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd")


def body(*shape: int, kind: str = "int16") -> np.ndarray:
    """HU with air in it, and fractions where the type has them."""
    values = np.random.default_rng(1).uniform(-1000, 2000, shape)
    return (values if kind.startswith("f") else np.rint(values)).astype(kind)


def refused(path: Path) -> str:
    before = hashes(path.parent)
    with pytest.raises(InputError) as caught:
        read(path)
    assert hashes(path.parent) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("shape", [(12, 16), (1, 12, 16), (3, 12, 16)])
@pytest.mark.parametrize("kind", ["int16", "<i4", ">i2", "int64", "float16", "float32", "float64"])
def test_npy_goes_out_as_float32_of_the_same_shape(
    tmp_path: Path, shape: tuple[int, ...], kind: str
) -> None:
    values = body(*shape, kind="float64").astype(kind)
    np.save(tmp_path / "in.npy", values)
    volume = read(tmp_path / "in.npy")
    assert volume.hu.ndim == 3
    write(volume, tmp_path / "out.npy")
    result = np.load(tmp_path / "out.npy")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, values.astype(np.float32))


def test_pixel_size_is_given_or_assumed_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.save(tmp_path / "in.npy", body(12, 16))
    given = read(tmp_path / "in.npy", spacing=0.7)
    assert (given.spacing[1:], given.spacing_known, caplog.text) == ((0.7, 0.7), True, "")
    assumed = read(tmp_path / "in.npy")
    assert (assumed.spacing[1:], assumed.spacing_known) == ((24, 24), False)
    assert "taking 24 mm" in caplog.text
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError, match="positive"):
            read(tmp_path / "in.npy", spacing=bad)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((8, 8), np.nan), "64 values are NaN"),
        (np.full((8, 8), np.inf), "infinite"),
        (np.full((8, 8), 1e300), "infinite"),
        (np.zeros((8, 8), bool), "bool"),
        (np.zeros((8, 8), complex), "complex128"),
        (np.zeros((8, 8), np.uint8), "uint8"),
        (np.zeros((8, 8), "U3"), "U3"),
        (np.zeros(8), r"shape (8,)"),
        (np.zeros((2, 2, 8, 8)), "shape (2, 2, 8, 8)"),
        (np.zeros((0, 8)), "shape (0, 8)"),
        (np.zeros((8, 8, 3)), "colour"),
        (np.linspace(0, 1, 64).reshape(8, 8), "normalised"),
        (np.linspace(-1, 1, 64).reshape(8, 8), "normalised"),
        (np.arange(0, 192, 3).reshape(8, 8), "8-bit"),
        (body(8, 8) - 32768.0, "below"),
        (body(8, 8) * 1e6, "not HU"),
    ],
)
def test_npy_refusals(tmp_path: Path, values: np.ndarray, expected: str) -> None:
    np.save(tmp_path / "in.npy", values)
    expected = "not HU" if expected == "below" else expected
    assert expected in refused(tmp_path / "in.npy")


def test_npy_never_unpickles(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.array([{"a": 1}]), allow_pickle=True)
    assert "allow_pickle" in refused(tmp_path / "in.npy")


@pytest.mark.parametrize("suffix", [*ITK, ".npy", ".png"])
@pytest.mark.parametrize("keep", [0, 0.05, 0.6, 0.98])
def test_truncated_files_are_one_line(
    tmp_path: Path, suffix: str, keep: float, capfd: pytest.CaptureFixture[str]
) -> None:
    file = make(tmp_path / f"in{suffix}")
    cut = file.with_suffix(".raw") if suffix == ".mhd" else file
    cut.write_bytes(cut.read_bytes()[: int(keep * cut.stat().st_size)])
    assert str(file) in refused(file)
    assert capfd.readouterr().err == ""


def make(path: Path, kind: str = "int16") -> Path:
    """A file of any of these formats."""
    if path.suffix == ".npy":
        np.save(path, body(3, 12, 16, kind=kind))
    elif path.suffix == ".png":
        Image.fromarray((body(12, 16).astype(np.int32) + 32768).astype(np.uint16)).save(path)
    else:
        image = sitk.GetImageFromArray(body(3, 12, 16, kind=kind))
        image.SetSpacing((0.5, 0.75, 2.5))
        image.SetOrigin((-10.5, 20.25, 3.125))
        image.SetDirection((-1, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8))
        sitk.WriteImage(image, str(path))
    return path


def as_written(path: Path) -> tuple[object, ...]:
    image = sitk.ReadImage(str(path))
    keys = set(image.GetMetaDataKeys()) - {"ITK_FileNotes", "descrip"}
    texts = {key: image.GetMetaData(key) for key in keys}
    return image.GetPixelID(), image.GetSize(), image.GetOrigin(), texts


@pytest.mark.parametrize("suffix", ITK)
@pytest.mark.parametrize("kind", ["int16", "uint16", "int32", "float32", "float64"])
def test_itk_formats_keep_values_type_geometry_and_header(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    source = make(tmp_path / f"in{suffix}", "int16" if kind == "uint16" else kind)
    if kind == "uint16":
        image = sitk.Cast(sitk.Maximum(sitk.ReadImage(str(source)), 0), sitk.sitkUInt16)
        sitk.WriteImage(image, str(source))
    volume = read(source)
    assert volume.spacing == pytest.approx((2.5, 0.75, 0.5), abs=1e-12)
    hu = volume.hu.copy()
    hu[1, 2, 3] = 41.3
    write(volume.with_hu(hu), tmp_path / f"out{suffix}")
    one, other = (sitk.ReadImage(str(tmp_path / f"{n}{suffix}")) for n in ("in", "out"))
    assert as_written(tmp_path / f"out{suffix}") == as_written(source)
    # NRRD stores spacing times direction, which loses the last bit.
    np.testing.assert_allclose(other.GetSpacing(), one.GetSpacing(), rtol=1e-15)
    np.testing.assert_allclose(other.GetDirection(), one.GetDirection(), atol=1e-15)
    before, after = sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other)
    np.testing.assert_array_equal(np.argwhere(before != after), [[1, 2, 3]])
    assert after[1, 2, 3] == pytest.approx(41.3 if kind.startswith("f") else 41, abs=1e-5)


@pytest.mark.parametrize("suffix", ITK)
def test_a_result_says_in_its_header_who_made_it_and_a_simulation_does_not(
    tmp_path: Path, suffix: str
) -> None:
    source = make(tmp_path / f"in{suffix}", "int16")
    image = sitk.ReadImage(str(source))
    image.SetMetaData("ITK_FileNotes", "scanner 7")
    sitk.WriteImage(image, str(source))
    volume = read(source)
    for kind in ("MAR", "SIMULATED"):
        path = tmp_path / f"{kind}{suffix}"
        write(volume, path, derivation=Derivation("ADN", kind=kind))
        again = read(path)
        assert again.meta["made_by_unmetal"] == (kind == "MAR")
        assert "unmetal: ADN, research only; scanner 7" in again.source.note
    assert not volume.meta["made_by_unmetal"]


def test_axis_0_is_the_slice(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(make(tmp_path / "in.mha")).hu, body(3, 12, 16))


def test_a_two_dimensional_image_stays_one(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(body(12, 16))
    image.SetSpacing((0.5, 0.75))
    sitk.WriteImage(image, str(tmp_path / "in.mha"))
    volume = read(tmp_path / "in.mha")
    assert volume.hu.shape == (1, 12, 16)
    assert volume.spacing[1:] == (0.75, 0.5)
    write(volume, tmp_path / "out.mha")
    assert sitk.ReadImage(str(tmp_path / "out.mha")).GetSize() == (16, 12)


def test_itk_formats_may_be_exchanged(tmp_path: Path) -> None:
    volume = read(make(tmp_path / "in.nii.gz"))
    write(volume, tmp_path / "out.mha")
    write(volume, tmp_path / "plain")
    assert gzip.decompress((tmp_path / "plain").read_bytes()).startswith(b"\x5c\1\0\0")
    np.testing.assert_array_equal(read(tmp_path / "out.mha").hu, volume.hu)


def test_a_nii_beside_a_nii_gz_is_another_image(tmp_path: Path) -> None:
    """ITK alone takes the voxels of `in.nii` for those of `in.nii.gz`."""
    compressed = make(tmp_path / "in.nii.gz")
    other = sitk.ReadImage(str(compressed)) + 7
    sitk.WriteImage(other, str(tmp_path / "in.nii"))
    np.testing.assert_array_equal(read(compressed).hu + 7, read(tmp_path / "in.nii").hu)


@pytest.mark.parametrize("compressed", [True, False])
def test_compression_stays_as_it_was(tmp_path: Path, compressed: bool) -> None:
    image = sitk.ReadImage(str(make(tmp_path / "in.mha")))
    sitk.WriteImage(image, str(tmp_path / "in.mha"), useCompression=compressed)
    write(read(tmp_path / "in.mha"), tmp_path / "out.mha")
    assert (b"CompressedData = True" in (tmp_path / "out.mha").read_bytes()) is compressed


def test_sagittal_stacks_are_a_warning(tmp_path: Path) -> None:
    image = sitk.ReadImage(str(make(tmp_path / "in.nii")))
    image.SetDirection((0, 0, 1, 1, 0, 0, 0, 1, 0))
    sitk.WriteImage(image, str(tmp_path / "in.nii"))
    assert "sagittal" in read(tmp_path / "in.nii").meta["warnings"][0]


def test_itk_refusals(tmp_path: Path) -> None:
    image = sitk.ReadImage(str(make(tmp_path / "in.mha")))
    for name, other, expected in (
        ("four", sitk.JoinSeries([image, image]), "4 axes"),
        ("colour", sitk.Compose(image, image, image), "colours"),
        (
            "bytes",
            sitk.Cast(sitk.Clamp(image, lowerBound=0, upperBound=9), sitk.sitkUInt8),
            "8-bit",
        ),
    ):
        sitk.WriteImage(other, str(tmp_path / f"{name}.nrrd"))
        assert expected in refused(tmp_path / f"{name}.nrrd")


def test_png_is_hu_plus_32768(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = make(tmp_path / "in.png")
    volume = read(source, spacing=1)
    np.testing.assert_array_equal(volume.hu[0], body(12, 16))
    hu = volume.hu.copy()
    hu[0, 0, :2] = 1e5, 3.7
    write(volume.with_hu(hu), tmp_path / "out.png")
    before, after = (np.asarray(Image.open(tmp_path / n)) for n in ("in.png", "out.png"))
    assert after.dtype == np.uint16
    np.testing.assert_array_equal(after[0, :2], (65535, 32772))
    np.testing.assert_array_equal(after.ravel()[2:], before.ravel()[2:])
    assert "1 values do not fit" in caplog.text


def test_png_refusals(tmp_path: Path) -> None:
    def picture(values: np.ndarray) -> str:
        Image.fromarray(values).save(tmp_path / "in.png")
        return refused(tmp_path / "in.png")

    assert "not 16-bit grey" in picture(np.zeros((8, 8), np.uint8))
    assert "not 16-bit grey" in picture(np.zeros((8, 8, 3), np.uint8))
    offset = (body(8, 8) + 1024).astype(np.uint16)
    assert "HU + 32768, as DeepLesion" in picture(offset)


def test_a_series_made_in_memory_goes_by_the_suffix(tmp_path: Path) -> None:
    hu = body(3, 12, 16, kind="float32")
    volume = Volume(hu, (2.5, 0.75, 0.5))
    for name in ("a.npy", "a.nii.gz", "a.mha"):
        write(volume, tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name).hu, hu)
    assert read(tmp_path / "a.mha").spacing == (2.5, 0.75, 0.5)
    write(Volume(np.rint(hu[:1]), (1, 1, 1)), tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png").hu, np.rint(hu[:1]))
    for name in ("b.png", "b.dcm", "b"):
        with pytest.raises(InputError):
            write(volume, tmp_path / name)


def test_no_value_that_is_not_finite_is_written(tmp_path: Path) -> None:
    volume = read(make(tmp_path / "in.nii"))
    before = hashes(tmp_path)
    hu = volume.hu.copy()
    hu[0, 0, 0] = np.nan
    with pytest.raises(InputError, match="1 values are NaN"):
        write(volume.with_hu(hu), tmp_path / "out.nii")
    assert hashes(tmp_path) == before


def test_what_is_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    assert "not a format" in refused(tmp_path / "a.txt")
    assert "no such file" in refused(tmp_path / "missing.npy")


@pytest.mark.parametrize("name", ["in.npy", "in.png"])
def test_content_decides_not_the_suffix(tmp_path: Path, name: str) -> None:
    wrong = make(tmp_path / name).rename(tmp_path / "in.dcm")
    assert read(wrong).hu.shape[1:] == (12, 16)


def test_a_damaged_npy_header_is_one_line(tmp_path: Path) -> None:
    """NumPy reads it as Python, and raises whatever Python's parser raises."""
    file = make(tmp_path / "in.npy")
    file.write_bytes(file.read_bytes().replace(b"'shape': (3", b"'shape': ((", 1))
    assert "not a complete .npy" in refused(file)


def test_header_texts_that_are_no_utf8_do_not_stop_anything(tmp_path: Path) -> None:
    file = make(tmp_path / "in.nii")
    content = bytearray(file.read_bytes())
    content[148:152] = b"K\xf6ln"  # descrip
    file.write_bytes(content)
    write(read(file), tmp_path / "out.nii")
    np.testing.assert_array_equal(read(tmp_path / "out.nii").hu, read(file).hu)
