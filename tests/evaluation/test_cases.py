"""Test sets: read as documented, and refused in one line where they are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unmetal.errors import InputError
from unmetal.evaluation.cases import Clean, Pairs, load_cases, load_real
from unmetal.files.npz import load_masks


def index(folder: Path, lines: list[str]) -> Path:
    """A folder with four slices of 8 x 8, whose HU are all their number, masks, and an index."""
    (folder / "masks").mkdir()
    np.savez(folder / "masks" / "cnnmar_test_10x512.npz", masks=np.eye(16, dtype=bool)[None])
    for number in range(4):
        stored = np.full((8, 8), 1024 + number, np.uint16)
        Image.fromarray(stored).save(folder / f"{number}.png")
    path = folder / "index.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


HEAD = "file,kind,split,set,patient"


def test_an_index_gives_its_clean_test_slices_by_patient_and_no_others(tmp_path):
    lines = ["0.png,clean,train,x,p", "1.png,clean,test,x,q", "2.png,metal,test,x,q"]
    cases = load_cases(index(tmp_path, [HEAD, *lines, "3.png,clean,test,x,r"]))
    assert isinstance(cases, Clean)
    assert cases.hu[:, 0, 0].tolist() == [1, 3]
    assert cases.groups == ("q", "r")
    assert cases.grouped_by == "patient"
    assert cases.masks.shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["file,kind", "0.png,clean"], "not an index"),
        ([HEAD, "0.png,clean,train,x,p"], "no slice of split test"),
        ([HEAD, "9.png,clean,test,x,p"], "9.png: there is no such file"),
        ([HEAD, "index.csv,clean,test,x,p"], "not an image"),
    ],
)
def test_an_index_of_nothing_is_refused(tmp_path, lines, why):
    with pytest.raises(InputError, match=why) as caught:
        load_cases(index(tmp_path, lines))
    assert "\n" not in str(caught.value)


def test_slices_of_different_sizes_are_refused(tmp_path):
    path = index(tmp_path, [HEAD, "0.png,clean,test,x,p", "1.png,clean,test,x,p"])
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match="different sizes"):
        load_cases(path)
    with pytest.raises(InputError, match="no such file"):
        load_cases(tmp_path / "none.csv")


def test_test_sets_are_read_as_they_are_documented(tmp_path):
    hu = np.arange(2 * 16 * 16).reshape(2, 16, 16).astype(np.int16)
    masks = np.zeros((3, 8, 8), dtype=bool)
    (tmp_path / "masks").mkdir()
    np.savez(tmp_path / "deeplesion_test_256.npz", hu_x4=hu)
    np.savez(tmp_path / "masks" / "cnnmar_test_10x512.npz", masks=masks)
    cases = load_cases(tmp_path)
    assert isinstance(cases, Clean)
    assert np.array_equal(cases.hu, hu / 4)
    mask = hu > 100
    packed = np.packbits(mask, axis=-1)
    pairs = {"ma_x4": hu, "clean_x4": hu, "mask": packed, "body": packed}
    np.savez(tmp_path / "pairs.npz", **pairs, spacing=[1.0, 2.0], names=["a", "b"])
    cases = load_cases(tmp_path / "pairs.npz")
    assert isinstance(cases, Pairs)
    assert np.array_equal(cases.metal, mask)
    assert cases.names == ("a", "b")


def test_test_sets_that_are_none_are_named(tmp_path):
    (tmp_path / "text.npz").write_text("no")
    np.savez(tmp_path / "other.npz", x=1)
    for path, why in (
        (tmp_path, "no such file"),
        (tmp_path / "text.npz", "not a file of arrays"),
        (tmp_path / "other.npz", "no ma_x4, clean_x4"),
    ):
        with pytest.raises(InputError, match=why) as caught:
            load_cases(path)
        assert "\n" not in str(caught.value)


def test_masks_come_from_arrays_and_images(tmp_path):
    masks = np.random.default_rng(0).random((3, 8, 8)) > 0.5
    np.savez(tmp_path / "m.npz", masks=masks)
    assert np.array_equal(load_masks(str(tmp_path / "m.npz")), masks)
    assert np.array_equal(load_masks(f"{tmp_path}/m.npz:2"), masks[2:])
    Image.fromarray((masks[0] * 255).astype(np.uint8)).save(tmp_path / "m.png")
    assert np.array_equal(load_masks(str(tmp_path / "m.png")), masks[:1])
    for where, why in ((f"{tmp_path}/m.npz:3", "no mask 3"), (f"{tmp_path}/x.npz", "no such file")):
        with pytest.raises(InputError, match=why):
            load_masks(where)


def test_real_metal_comes_from_an_index_or_from_whatever_reduce_reads(tmp_path):
    head = f"{HEAD},spacing_mm"
    lines = ["0.png,clean,test,x,p,0.5", "1.png,real_metal,train,x,q,0.7"]
    path = index(tmp_path, [head, *lines, "2.png,real_metal,test,x,r,0.8"])
    cases = load_real(path)
    assert cases.affected[:, 0, 0].tolist() == [1, 2]
    assert cases.spacing.tolist() == [0.7, 0.8]
    assert cases.names == ("1", "2")
    assert cases.groups == ("q", "r")
    clean = load_cases(path)
    assert isinstance(clean, Clean)
    assert clean.spacing is not None
    assert clean.spacing.tolist() == [0.5]
    hu = np.full((2, 64, 64), -1000, np.float32)
    hu[:, 20:40, 20:40] = 40
    np.save(tmp_path / "head.npy", hu)
    cases = load_real(tmp_path / "head.npy")
    assert np.array_equal(cases.affected, hu)
    assert cases.names == ("head 1", "head 2")
    assert cases.groups == ("head", "head")


def test_an_index_without_pixel_sizes_is_refused_where_they_are_needed(tmp_path):
    path = index(tmp_path, [HEAD, "1.png,real_metal,train,x,q"])
    with pytest.raises(InputError, match="spacing_mm"):
        load_real(path)
    path.write_text(f"{HEAD},spacing_mm\n1.png,real_metal,train,x,q,-1\n")
    with pytest.raises(InputError, match="positive"):
        load_real(path)
    path.write_text(f"{HEAD},spacing_mm\n1.png,clean,test,x,q,1\n")
    with pytest.raises(InputError, match="kind real_metal"):
        load_real(path)
