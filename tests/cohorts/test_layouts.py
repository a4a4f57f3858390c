"""Where archives keep their slices: what is found, in which order, and whose it is."""

import os

import pytest
from archives import deeplesion, slice_of, spineweb

from unmetal.cohorts.preparation.layouts import (
    find_images,
    patient_from_path,
    pixel_sizes,
    read_slice_list,
)
from unmetal.errors import InputError

HU = slice_of()
NAMES = [f"00000{p}_01_0{s}/{n:03}.png" for p in (1, 2) for s in (1, 2) for n in range(1, 7)]
INFO = "File_name,Patient_index,Spacing_mm_px_\n"


@pytest.fixture
def lesions(tmp_path):
    return deeplesion(tmp_path / "DeepLesion", dict.fromkeys(NAMES, HU))


def test_deeplesion_by_stride_takes_the_first_and_each_tenth(lesions):
    found = find_images(lesions, "deeplesion", every=10)
    assert found.files == tuple(f"Images_png/{NAMES[place]}" for place in (0, 10, 20))
    assert find_images(lesions / "Images_png", "deeplesion", every=10).files == tuple(NAMES[::10])


def test_deeplesion_by_list_keeps_its_order_and_misses_nothing_silently(lesions, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text(f"{NAMES[5]}\nImages_png/{NAMES[2]}\n\n000009_01_01/001.png\n{NAMES[5]}\n")
    found = find_images(lesions, "deeplesion", listed)
    assert found.files == (f"Images_png/{NAMES[5]}", f"Images_png/{NAMES[2]}")
    assert found.unread == (("000009_01_01/001.png", "listed, but not there"),)
    assert len(find_images(lesions, "deeplesion", listed, every=2).files) == 1


def test_key_slices_and_pixel_sizes_come_from_its_table(lesions):
    table = lesions / "DL_info.csv"
    table.write_text(
        INFO + '000001_01_01_003.png,1,"0.75, 0.75, 5"\n000002_01_02_001.png,2,"0.5, 0.5, 1"\n'
    )
    assert read_slice_list(table) == ["000001_01_01/003.png", "000002_01_02/001.png"]
    assert pixel_sizes(lesions) == {"000001_01_01": 0.75, "000002_01_02": 0.5}
    assert pixel_sizes(lesions / "Images_png") == pixel_sizes(lesions)
    assert len(find_images(lesions, "deeplesion", table).files) == 2
    table.write_text("File_name,other\nx,y\n")
    with pytest.raises(InputError, match="not the table"):
        pixel_sizes(lesions)


@pytest.mark.parametrize("text", ["", "one line\n", "a.dcm\n"])
def test_a_list_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match="not a list of slices"):
        read_slice_list(tmp_path / "list.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_slice_list(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("name", "kind", "patient"),
    [
        ("Images_png/000001_03_02/005.png", "deeplesion", "000001"),
        ("spine-1/patient0156/4389889/4389889.nii.gz", "spineweb", "patient0156"),
        ("spine-2/patient0007.mhd", "spineweb", "patient0007"),
        ("A/1/x.dcm", "folder", "A"),
        ("A.nii.gz", "folder", "A"),
        ("A.npy", "folder", "A"),
    ],
)
def test_whose_a_slice_is(name, kind, patient):
    assert patient_from_path(name, kind) == patient


def test_each_kind_reads_its_own_and_counts_the_rest(tmp_path):
    spineweb(tmp_path, {"spine-1/patient0001/1/1.nii.gz": HU[None], "p/2.mhd": HU[None]})
    for name in ("a.dcm", "IM0001", "1.2.840.7", "notes.txt", ".DS_Store", "b.npy", "c.ima"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "c.ima").write_bytes(bytes(128) + b"DICM")
    volumes = {"spine-1/patient0001/1/1.nii.gz", "p/2.mhd"}
    assert set(find_images(tmp_path, "spineweb").files) == volumes
    dicom = {"a.dcm", "IM0001", "1.2.840.7", "c.ima"}
    assert set(find_images(tmp_path, "cbct").files) == dicom
    assert set(find_images(tmp_path, "folder").files) == volumes | dicom | {"b.npy"}
    assert find_images(tmp_path, "folder").others == 3, (
        "notes, .DS_Store and the voxels of the .mhd"
    )


def test_what_is_no_file_is_listed_and_never_opened(tmp_path):
    (tmp_path / "folder.dcm").mkdir()
    (tmp_path / "gone.dcm").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.dcm")
    assert dict(find_images(tmp_path, "folder").unread) == {
        "folder.dcm/": "a folder, named as a file",
        "gone.dcm": "a link to nothing",
        "circle/": "a link to a folder",
        "pipe.dcm": "neither a file nor a folder",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_listed(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert find_images(tmp_path, "folder").unread == (
        ("closed/", "cannot be read: Permission denied"),
    )


def test_no_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        find_images(tmp_path / "nowhere", "folder")
