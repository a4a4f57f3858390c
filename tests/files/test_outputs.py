"""Nothing is overwritten unasked, the input never, and half an output never appears."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ct_files import ct_image, hashes

from unmetal.errors import InputError
from unmetal.files import check_output, dicom, read, write
from unmetal.files.staging import staged

Make = Callable[..., Path]


@pytest.fixture
def npy(tmp_path: Path) -> Path:
    np.save(tmp_path / "in.npy", np.arange(-1000.0, 1000.0).reshape(40, 50))
    return tmp_path / "in.npy"


def untouched(tmp_path: Path, action: Callable[[], object], match: str) -> None:
    before, listing = hashes(tmp_path), sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=match) as caught:
        action()
    assert "\n" not in str(caught.value)
    assert hashes(tmp_path) == before
    assert sorted(tmp_path.rglob("*")) == listing


def test_an_existing_file_needs_force(npy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    out.write_text("precious")
    untouched(tmp_path, lambda: write(read(npy), out), "--force")
    write(read(npy), out, force=True)
    assert np.load(out).shape == (40, 50)


def test_the_input_is_never_written(npy: Path, tmp_path: Path, make_series: Make) -> None:
    volume = read(npy)
    (tmp_path / "link.npy").symlink_to(npy)
    os.link(npy, tmp_path / "hard.npy")
    for path in (npy, tmp_path / "link.npy", tmp_path / "hard.npy"):
        untouched(tmp_path, lambda p=path: write(volume, p, force=True), "over the input")
    series = make_series()
    folder = read(series)
    for path in (series, series / "out", series / "IM000", tmp_path):
        untouched(tmp_path, lambda p=path: write(folder, p, force=True), "over the input")


def test_force_replaces_a_series_whole(make_series: Make, tmp_path: Path) -> None:
    write(read(make_series()), tmp_path / "out")
    write(read(make_series([ct_image(0, 0.0)], "single")), tmp_path / "out", force=True)
    assert list(hashes(tmp_path / "out")) == ["IM000"]


def test_force_never_empties_a_folder_of_other_things(make_series: Make, tmp_path: Path) -> None:
    volume = read(make_series())
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    untouched(tmp_path, lambda: write(volume, tmp_path / "home", force=True), "not DICOM")


def test_an_empty_folder_is_free(make_series: Make, npy: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(read(make_series()), tmp_path / "out")
    assert len(hashes(tmp_path / "out")) == 5


def test_file_and_folder_do_not_replace_each_other(
    make_series: Make, npy: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    array, series = read(npy), read(make_series())
    untouched(tmp_path, lambda: write(array, tmp_path / "folder", force=True), "is a folder")
    untouched(tmp_path, lambda: write(series, tmp_path / "file", force=True), "is a file")


def test_the_suffix_must_be_of_the_input_format(
    make_series: Make, npy: Path, tmp_path: Path
) -> None:
    for volume, name in ((read(npy), "out.nii.gz"), (read(make_series()), "out.npy")):
        untouched(tmp_path, lambda v=volume, n=name: write(v, tmp_path / n), "format of the input")
        untouched(
            tmp_path, lambda v=volume, n=name: check_output(v, tmp_path / n), "format of the input"
        )


def test_a_failure_half_way_leaves_nothing(
    make_series: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = read(make_series())
    real, calls = dicom.writing._file, []

    def fails_at_the_third(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(dicom.writing, "_file", fails_at_the_third)
    for path in (tmp_path / "out", tmp_path / "deep" / "er" / "out", tmp_path / "out.zip"):
        calls.clear()
        untouched(tmp_path, lambda p=path: write(volume, p), "No space left")


def test_an_interrupt_leaves_nothing_and_keeps_the_old(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("old")
    listing = hashes(tmp_path)

    def interrupted() -> None:
        with staged(tmp_path / "out", force=True) as target:
            target.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert hashes(tmp_path) == listing


def test_a_companion_that_is_not_ours_is_kept(tmp_path: Path) -> None:
    """out.mhd comes with out.raw, and an out.raw without its header is something else."""
    (tmp_path / "out.raw").write_text("not ours")

    def pair() -> None:
        with staged(tmp_path / "out.mhd", force=True) as target:
            target.write_text("header")
            target.with_suffix(".raw").write_text("voxels")

    untouched(tmp_path, pair, "out.raw")
    (tmp_path / "out.mhd").write_text("old header")
    pair()
    assert (tmp_path / "out.raw").read_text() == "voxels"


def test_an_unwritable_place_is_one_line(npy: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    untouched(tmp_path, lambda: write(read(npy), tmp_path / "file" / "out.npy"), "cannot be")
