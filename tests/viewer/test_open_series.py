"""What is found at a path, what is said of it, and its voxels."""

from __future__ import annotations

import io
from pathlib import Path

import nibabel
import numpy as np
import pytest
from ct_files import ct_image, save
from viewing import write_phantom

import unmetal
from unmetal.errors import InputError
from unmetal.viewer.open_series import open_path
from unmetal.viewer.records import Announced, Broken, LeftOut, Listed, SliceRead


def opened(path: Path, folder: Path) -> list:
    messages: list = []
    open_path(messages.append, path, folder)
    return messages


def nifti(app, id: str) -> nibabel.Nifti1Image:
    answer = app.client.get(f"api/series/{id}/original.nii")
    assert answer.status_code == 200
    assert len(answer.content) == int(answer.headers["content-length"])
    return nibabel.Nifti1Image.from_bytes(answer.content)


def test_a_series_is_announced_with_its_middle_slice_before_anything_else_is_read(
    phantom: Path, tmp_path: Path
) -> None:
    messages = opened(phantom, tmp_path)
    assert isinstance(messages[0], Announced)
    assert isinstance(messages[1], Listed)
    assert [one.index for one in messages[2:]] == [2, 0, 1, 3]


def test_what_the_page_is_told(app, phantom: Path) -> None:
    (id,) = app.open(phantom)
    (told,) = app.client.get("api/state").json()["series"]
    assert told == {
        "id": id,
        "title": "CT 96 × 96 × 4",
        "description": "Thorax 2.5",
        "shape": [4, 96, 96],
        "spacing": [3.0, 4.0, 4.0],
        "spacing_known": True,
        "oriented": True,
        "window": {"width": 1500.0, "level": -700.0},
        "metal_slices": None,
        "warnings": [],
        "made_by_unmetal": False,
        "ready": True,
        "error": None,
    }


def test_the_volume_lies_where_the_header_says(app, tmp_path: Path) -> None:
    """Slices in reverse, oblique: voxel (i, j, k) -> LPS by PS3.3 C.7.6.2.1.1 -> RAS."""
    turned = [0.8, 0.6, 0, -0.6, 0.8, 0]
    for number in range(4):
        place = [10.0, 20.0, 7.5 - 2.5 * number]
        image = ct_image(
            number, 0, ImagePositionPatient=place, ImageOrientationPatient=turned,
            SOPInstanceUID=f"1.2.{number + 1}",
        )  # fmt: skip
        save(image, tmp_path / "in" / str(number))
    (id,) = app.open(tmp_path / "in")
    image = nifti(app, id)
    volume = unmetal.read(tmp_path / "in")
    assert image.get_data_dtype() == np.int16
    assert np.array_equal(np.asanyarray(image.dataobj).T, volume.hu)
    i, j, k = 7, 30, 2
    along, down = np.array(turned[:3]) * 0.5, np.array(turned[3:]) * 0.75
    lps = np.array([10.0, 20.0, 0.0]) + along * i + down * j + np.array([0, 0, 2.5]) * k
    assert image.affine @ [i, j, k, 1] == pytest.approx([-lps[0], -lps[1], lps[2], 1])
    assert nibabel.aff2axcodes(image.affine)[2] == "S"


def test_a_nifti_is_opened_as_it_is(app, tmp_path: Path) -> None:
    affine = np.array([[0, 2.0, 0, 5], [-1.5, 0, 0, 6], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    hu = np.random.default_rng(0).normal(0, 300, (6, 5, 4)).astype(np.float32) - 100
    nibabel.save(nibabel.Nifti1Image(hu, affine), tmp_path / "a.nii.gz")
    (id,) = app.open(tmp_path / "a.nii.gz")
    image = nifti(app, id)
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asanyarray(image.dataobj), hu)
    assert image.affine == pytest.approx(affine)
    assert app.session.series[id].suffix == ".nii.gz"


def test_an_array_is_shown_as_it_is_stored_and_has_no_letters(app, tmp_path: Path) -> None:
    """First column at the patient's right, first row in front: as axial slices usually lie."""
    np.save(tmp_path / "a.npy", np.full((2, 4, 4), -1000, np.int16))
    (id,) = app.open(tmp_path / "a.npy")
    (told,) = app.client.get("api/state").json()["series"]
    assert not told["oriented"]
    assert not told["spacing_known"]
    assert nibabel.aff2axcodes(nifti(app, id).affine) == ("L", "P", "S")


def test_a_folder_of_several_series_gives_each_and_says_what_is_none(app, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_phantom(folder / "one")
    write_phantom(folder / "two", SeriesInstanceUID="1.2.3", slices=2)
    save(ct_image(1, 0, Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"), folder / "mr")
    (folder / "notes.txt").write_text("no image")
    np.save(folder / "more.npy", np.zeros((2, 8, 8), np.int16) - 500)
    (folder / "broken.nii").write_bytes(b"nothing")
    messages = opened(folder, app.session.folder)
    shapes = [m.series.grid.shape[0] for m in messages if isinstance(m, Announced)]
    assert sorted(shapes) == [2, 2, 4]
    left_out = {m.what: m.why for m in messages if isinstance(m, LeftOut)}
    assert set(left_out) == {"mr", "broken.nii"}
    assert left_out["mr"] == "MR, MR Image Storage"
    assert "damaged" in left_out["broken.nii"]


@pytest.mark.parametrize("made", ["empty", "text", "scout"])
def test_a_path_without_a_series_is_refused_in_a_line(tmp_path: Path, made: str) -> None:
    path = tmp_path / "in"
    path.mkdir()
    if made == "text":
        (path / "a.txt").write_text("x")
    if made == "scout":
        save(ct_image(1, 0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), path / "a")
    with pytest.raises(InputError) as refused:
        opened(path, tmp_path)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("in: ")


def test_values_that_need_more_than_16_bits_are_shown_as_floats(app, tmp_path: Path) -> None:
    """The first slices fit, so that it begins with 16 bits."""
    for number in range(3):
        image = ct_image(number, 2.0 * number, BitsStored=16, HighBit=15)
        if number == 2:
            image.PixelData = np.full((36, 40), 60_000, "<u2").tobytes()
        save(image, tmp_path / "in" / str(number))
    (id,) = app.open(tmp_path / "in")
    image = nifti(app, id)
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asanyarray(image.dataobj).T, unmetal.read(tmp_path / "in").hu)


def test_a_damaged_slice_ends_its_series_with_the_reason(app, phantom: Path, tmp_path) -> None:
    for path in phantom.iterdir():
        content = path.read_bytes()
        damaged = path.name == "IM004"
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / path.name).write_bytes(content[: len(content) - 9000 * damaged])
    messages = opened(tmp_path / "in", tmp_path)
    assert isinstance(messages[-1], Broken)
    for message in messages:
        app.session.take(message)
    (told,) = app.client.get("api/state").json()["series"]
    assert not told["ready"]
    assert "IM004" in told["error"]
    assert str(tmp_path) not in told["error"]
    assert app.client.get(f"api/series/{told['id']}/slice.png?k=1").status_code == 200
    refused = app.client.get(f"api/series/{told['id']}/slice.png?k=3")
    assert refused.status_code == 400
    assert refused.json()["error"] == told["error"]


def test_messages_about_a_series_that_was_closed_meanwhile_are_dropped(app, phantom, tmp_path):
    messages = opened(phantom, tmp_path)
    app.session.take(messages[0])
    app.session.close_series(messages[0].series.id)
    for message in messages[1:]:
        assert isinstance(message, (Listed, SliceRead))
        app.session.take(message)
    assert not app.session.series


def test_a_result_is_opened_and_not_reduced_again(app, phantom: Path, tmp_path: Path) -> None:
    volume = unmetal.read(phantom)
    from unmetal.files import Derivation, write  # noqa: PLC0415

    write(volume, tmp_path / "out", derivation=Derivation(method="LI"))
    (id,) = app.open(tmp_path / "out")
    (told,) = app.client.get("api/state").json()["series"]
    assert told["made_by_unmetal"]
    refused = app.client.post(f"api/series/{id}/jobs", json={"method": "li", "metal": None})
    assert refused.status_code == 400
    assert "reduce the original" in refused.json()["error"]


def test_a_slice_is_a_picture_in_its_window(app, phantom: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    (id,) = app.open(phantom)
    answer = app.client.get(f"api/series/{id}/slice.png?k=1&width=200&level=0")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    hu = unmetal.read(phantom).hu[1]
    assert np.abs(picture - np.clip((hu + 100) / 200 * 255, 0, 255)).max() <= 0.5
    for asked in ("k=4", "k=-1", "k=1.5", "k=x", "width=0", "width=nan", "level=inf"):
        assert app.client.get(f"api/series/{id}/slice.png?{asked}").status_code == 400
    assert app.client.get("api/series/nothing/slice.png").status_code == 404
