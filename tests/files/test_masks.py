"""Masks of the metal: where each format puts them, and each way in which they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  (the name its documentation uses)
from ct_files import SIZE, ct_image, save
from PIL import Image

from unmetal import files
from unmetal.errors import InputError
from unmetal.files.contours import filled, outlines
from unmetal.files.dicom.metal_names import metal_names
from unmetal.scan import Volume

CASES = [np.random.default_rng(seed).random((9, 11)) < 0.4 for seed in range(20)]
"""Speckle: pieces that touch at corners, holes, pieces within holes, all at the border."""

ACROSS = 2.5
"""mm between the slices of `make_series`."""


def some_metal(count: int = 5) -> np.ndarray:
    """bool `[count 36 40]`: another rectangle in each slice but the first, with a hole."""
    mask = np.zeros((count, *SIZE), bool)
    for place in range(1, count):
        mask[place, 5 + place : 14 + place, 8 : 20 + place] = True
        mask[place, 8 + place : 10 + place, 11:14] = False
    return mask


@pytest.fixture
def series(make_series: Callable[..., Path]) -> Volume:
    return files.read(make_series())


@pytest.fixture
def segmentation(series: Volume, tmp_path: Path) -> Path:
    return written(series, some_metal(), tmp_path / "seg.dcm")


@pytest.fixture
def structures(series: Volume, tmp_path: Path) -> Path:
    return written(series, some_metal(), tmp_path / "rtstruct.dcm", contours=True)


def written(volume: Volume, mask: np.ndarray, path: Path, *, contours: bool = False) -> Path:
    done = files.Derivation("LI", kind="MAR_CONTOURS" if contours else "MAR_METAL")
    files.write_all([files.Output(volume, path, done, mask, contours)])
    return path


def edited(path: Path, change: Callable[[pydicom.Dataset], object]) -> Path:
    image = pydicom.dcmread(path)
    change(image)
    image.save_as(path)
    return path


@pytest.mark.parametrize("mask", CASES, ids=lambda mask: str(int(mask.sum())))
def test_what_outlines_enclose_is_the_mask_they_came_from(mask: np.ndarray) -> None:
    assert np.array_equal(filled(outlines(mask), mask.shape), mask)


def test_the_area_of_an_outline_with_a_hole_is_that_of_its_pixels() -> None:
    mask = np.zeros((12, 12), bool)
    mask[1:11, 2:9] = True
    mask[4:7, 4:6] = False
    outer, inner = sorted((abs(shoelace(one)) for one in outlines(mask)), reverse=True)
    # Corners are cut by an eighth of a pixel: off the outer square, on to the hole.
    assert (outer, inner) == (10 * 7 - 0.5, 3 * 2 - 0.5)


def shoelace(polygon: np.ndarray) -> float:
    y, x = polygon.T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


@pytest.mark.parametrize("contours", [False, True])
@pytest.mark.parametrize(
    "cosines", [[1, 0, 0, 0, 1, 0], [-1, 0, 0, 0, -1, 0], [0.96, 0.28, 0, -0.28, 0.96, 0]]
)
def test_a_mask_as_dicom_comes_back_as_it_was(
    make_series: Callable[..., Path], tmp_path: Path, contours: bool, cosines: list[float]
) -> None:
    # One slice is missing, and the gantry leans: each slice begins elsewhere.
    heights = [0.0, 2.5, 5.0, 10.0]
    turned = [
        ct_image(i, z, ImageOrientationPatient=cosines, ImagePositionPatient=[z / 4, z / 3, z])
        for i, z in enumerate(heights)
    ]
    volume = files.read(make_series(turned))
    path = written(volume, some_metal(4), tmp_path / "mask.dcm", contours=contours)
    assert np.array_equal(files.read_mask(path, volume), some_metal(4))


def test_contours_lie_at_the_coordinates_of_the_patient(structures: Path, series: Volume) -> None:
    image = pydicom.dcmread(structures)
    (region,) = image.ROIContourSequence
    points = np.concatenate(
        [np.reshape(one.ContourData, (-1, 3)).astype(float) for one in region.ContourSequence]
    )
    # Rows 6 to 17 and columns 8 to 23, pixels of 0.75 x 0.5 mm, half a pixel around them.
    low, high = points.min(axis=0), points.max(axis=0)
    assert low == pytest.approx([-10 + 7.5 * 0.5, -20 + 5.5 * 0.75, ACROSS], abs=1e-3)
    assert high == pytest.approx([-10 + 23.5 * 0.5, -20 + 17.5 * 0.75, 4 * ACROSS], abs=1e-3)
    referenced = {
        str(one.ContourImageSequence[0].ReferencedSOPInstanceUID) for one in region.ContourSequence
    }
    own = [str(one.header.SOPInstanceUID) for one in series.source.slices]
    assert referenced == set(own[1:])
    assert image.FrameOfReferenceUID == series.source.slices[0].header.FrameOfReferenceUID


def as_nifti(mask: np.ndarray, path: Path, shift: float = 0.0, scale: float = 1.0) -> Path:
    """The mask on the grid of `make_series`, but with rows from below and slices from above."""
    flipped = mask[::-1, ::-1].astype(np.uint8).T
    affine = np.diag([-0.5 * scale, 0.75, -ACROSS, 1])
    last = 20 - 0.75 * (SIZE[0] - 1)
    affine[:3, 3] = [10 - shift, last, ACROSS * (len(mask) - 1)]
    nibabel.save(nibabel.Nifti1Image(flipped, affine), path)
    return path


def test_a_nifti_mask_goes_where_its_affine_says(series: Volume, tmp_path: Path) -> None:
    path = as_nifti(some_metal(), tmp_path / "mask.nii.gz")
    assert np.array_equal(files.read_mask(path, series), some_metal())


def test_a_mask_that_is_cut_to_a_part_is_put_into_its_place(series: Volume, tmp_path: Path) -> None:
    part = sitk.GetImageFromArray(some_metal()[1:4, 4:20, 6:30].astype(np.uint8))
    part.SetSpacing((0.5, 0.75, ACROSS))
    part.SetOrigin((-10 + 6 * 0.5, -20 + 4 * 0.75, ACROSS))
    sitk.WriteImage(part, str(tmp_path / "part.mha"))
    expected = np.zeros_like(some_metal())
    expected[1:4, 4:20, 6:30] = some_metal()[1:4, 4:20, 6:30]
    assert np.array_equal(files.read_mask(tmp_path / "part.mha", series), expected)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd", ".npy"])
def test_a_mask_in_the_format_of_the_series_comes_back(tmp_path: Path, suffix: str) -> None:
    hu = np.random.default_rng(0).normal(0, 300, (3, 20, 24)).astype(np.float32)
    path, mask = tmp_path / f"ct{suffix}", hu > 500
    files.write(Volume(hu, (5, 1, 1)), path)
    volume = files.read(path)
    files.write_all([files.Output(volume, tmp_path / f"mask{suffix}", mask=mask)])
    assert np.array_equal(files.read_mask(tmp_path / f"mask{suffix}", volume), mask)


@pytest.mark.parametrize("names", [["metal", "other"], ["masks"], ["anything"]])
def test_an_npz_names_its_mask_or_holds_one_array(
    series: Volume, tmp_path: Path, names: list[str]
) -> None:
    arrays = dict.fromkeys(names, some_metal()) | (
        {"other": np.zeros(3)} if "other" in names else {}
    )
    np.savez(tmp_path / "mask.npz", **arrays)
    assert np.array_equal(files.read_mask(tmp_path / "mask.npz", series), some_metal())


def test_a_picture_is_the_mask_of_one_slice(tmp_path: Path) -> None:
    volume = files.read(save(ct_image(0, 0.0), tmp_path / "one.dcm"))
    mask = some_metal()[1]
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    assert np.array_equal(files.read_mask(tmp_path / "mask.png", volume)[0], mask)


def test_of_several_segments_those_named_metal_count_or_all(
    series: Volume, segmentation: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def second(image: pydicom.Dataset) -> None:
        """The last frame becomes another segment, the heart."""
        heart = deepcopy(image.SegmentSequence[0])
        heart.SegmentNumber, heart.SegmentLabel = 2, "Heart"
        for what in ("Type", "Category"):
            setattr(heart, f"SegmentedProperty{what}CodeSequence", [])
        image.SegmentSequence = [image.SegmentSequence[0], heart]
        other = deepcopy(image.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence)
        other[0].ReferencedSegmentNumber = 2
        image.PerFrameFunctionalGroupsSequence[-1].SegmentIdentificationSequence = other

    caplog.set_level("INFO")
    edited(segmentation, second)
    last = pydicom.dcmread(segmentation).PerFrameFunctionalGroupsSequence[-1]
    height = last.PlanePositionSequence[0].ImagePositionPatient[2]
    expected = some_metal()
    expected[round(height / ACROSS)] = False
    assert np.array_equal(files.read_mask(segmentation, series), expected)
    assert "1 of 2 segments are metal: Metal" in caplog.text

    def unnamed(image: pydicom.Dataset) -> None:
        for segment in image.SegmentSequence:
            segment.SegmentLabel = "Thing"
            segment.SegmentedPropertyTypeCodeSequence = []

    edited(segmentation, unnamed)
    assert np.array_equal(files.read_mask(segmentation, series), some_metal())
    assert "2 of 2 segments are metal: Thing, Thing" in caplog.text


def test_names_of_metal_are_known_and_artifacts_are_not_metal() -> None:
    names = ["GTV", "Hip_Implant_L", "Metal artifact", "PROSTHESIS", "Streaks metal", "metal"]
    assert metal_names(names) == [1, 3, 5]


def rename(*names: str) -> Callable[[pydicom.Dataset], None]:
    """As many regions as names, all with the contours of the first."""

    def change(image: pydicom.Dataset) -> None:
        (region,) = image.StructureSetROISequence
        image.StructureSetROISequence = []
        for name in names:
            again = deepcopy(region)
            again.ROIName = name
            image.StructureSetROISequence.append(again)

    return change


def test_the_only_region_is_the_metal_whatever_its_name(series: Volume, structures: Path) -> None:
    edited(structures, rename("ROI-1"))
    assert np.array_equal(files.read_mask(structures, series), some_metal())


def test_regions_without_a_name_of_metal_are_listed(series: Volume, structures: Path) -> None:
    edited(structures, rename("PTV", "Bladder"))
    with pytest.raises(InputError, match="there are: Bladder, PTV"):
        files.read_mask(structures, series)


def elsewhere(image: pydicom.Dataset) -> None:
    for region in image.StructureSetROISequence:
        region.ReferencedFrameOfReferenceUID = "1.2.3"


def between_slices(image: pydicom.Dataset) -> None:
    for one in image.ROIContourSequence[0].ContourSequence:
        one.ContourData = [float(mm) + 1.0 * (i % 3 == 2) for i, mm in enumerate(one.ContourData)]


def far_away(image: pydicom.Dataset) -> None:
    for one in image.ROIContourSequence[0].ContourSequence:
        one.ContourData = [float(mm) + 90 * (i % 3 == 0) for i, mm in enumerate(one.ContourData)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (elsewhere, "another frame of reference"),
        (between_slices, "lies on no slice"),
        (far_away, "outside of the slice"),
    ],
)
def test_contours_that_do_not_fit_are_one_line(
    series: Volume, structures: Path, change: Callable[[pydicom.Dataset], None], reason: str
) -> None:
    with pytest.raises(InputError, match=f"does not fit the series: .*{reason}") as caught:
        files.read_mask(edited(structures, change), series)
    assert "\n" not in str(caught.value)


def moved(image: pydicom.Dataset) -> None:
    for groups in image.PerFrameFunctionalGroupsSequence:
        x, y, z = groups.PlanePositionSequence[0].ImagePositionPatient
        groups.PlanePositionSequence[0].ImagePositionPatient = [x, y, z + 1]


def enlarged(image: pydicom.Dataset) -> None:
    image.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [1.5, 1]


def renamed_frame(image: pydicom.Dataset) -> None:
    image.FrameOfReferenceUID = "1.2.3"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (moved, "0.4 voxels beside"),
        (enlarged, "another size or orientation"),
        (renamed_frame, "another frame of reference"),
    ],
)
def test_segments_that_do_not_fit_are_one_line(
    series: Volume, segmentation: Path, change: Callable[[pydicom.Dataset], None], reason: str
) -> None:
    with pytest.raises(InputError, match=f"does not fit the series: .*{reason}") as caught:
        files.read_mask(edited(segmentation, change), series)
    assert "\n" not in str(caught.value)


def test_grids_arrays_and_files_that_do_not_fit_are_one_line(
    series: Volume, segmentation: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "small.npy", some_metal()[:, ::2])
    np.save(tmp_path / "hu.npy", series.hu)
    np.save(tmp_path / "none.npy", np.zeros(series.hu.shape, bool))
    np.savez(tmp_path / "many.npz", a=some_metal(), b=some_metal())
    (tmp_path / "broken.dcm").write_bytes(segmentation.read_bytes()[:-600])
    folder = Path(series.path or "")
    cases = {
        as_nifti(some_metal(), tmp_path / "half.nii", shift=0.25): "0.5 voxels beside",
        as_nifti(some_metal(), tmp_path / "wide.nii", scale=2): "another size",
        as_nifti(some_metal(), tmp_path / "far.nii", shift=100): "lie outside",
        tmp_path / "small.npy": "has shape",
        tmp_path / "hu.npy": "a mask holds 0, and 1",
        tmp_path / "none.npy": "marks no voxel",
        tmp_path / "many.npz": "call the mask `metal`; there are: a, b",
        tmp_path / "broken.dcm": "damaged",
        tmp_path / "missing.nii": "no such file",
        folder: "is neither",
    }
    for path, reason in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            files.read_mask(path, series)
        assert "\n" not in str(caught.value)
    array = Volume(series.hu, (1, 1, 1), path=Path("ct.npy"))
    with pytest.raises(InputError, match="fits a DICOM series only"):
        files.read_mask(segmentation, array)
