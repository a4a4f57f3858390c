"""A folder of many studies: each series alone, each object accounted for, and no kill loses one."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from ct_files import ct_image, hashes, save
from pydicom.uid import generate_uid

from unmetal import files
from unmetal.__main__ import main
from unmetal.errors import InputError
from unmetal.files.dicom.inventory import CTSeries, find_series
from unmetal.files.staging import exclusive_lock
from unmetal.reduction.batch.plan import (
    DONE,
    FAILED,
    Item,
    Outcome,
    Plan,
    raise_if_failed,
    run_plan,
)
from unmetal.reduction.batch.summary import COLUMNS, SUMMARY
from unmetal.workers import DIED, side_by_side

SIDE = 64
SECRETS = ("DOE^", "JOHN", "Nobody", "secret-7", "1.2.826")


def stored(metal: bool) -> bytes:
    """An oval body, with a rod or without, as 16-bit numbers."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    hu = np.where(((rows - 32) / 22) ** 2 + ((columns - 32) / 27) ** 2 < 1, 40, -1000)
    hu = hu + np.random.default_rng(0).integers(-9, 10, hu.shape)
    if metal:
        hu[(rows - 32) ** 2 + (columns - 20) ** 2 < 7] = 4500
    return (hu + 1024).astype("<u2").tobytes()


def uid(*names: object) -> str:
    return generate_uid(entropy_srcs=[str(name) for name in names])


def image(series: str, number: int, **changes: Any) -> pydicom.Dataset:
    """Slice `number` of the series called so; every other one has a rod in it."""
    of_it = {
        "Rows": SIDE,
        "Columns": SIDE,
        "PixelSpacing": [5.0, 5.0],
        "BitsStored": 16,
        "HighBit": 15,
        "PixelData": stored(number % 2 == 1),
        "SeriesInstanceUID": uid(series),
        "SOPInstanceUID": uid(series, number),
    }
    return ct_image(number, 2.5 * number, **of_it | changes)


def grow(folder: Path, *series: tuple[str, int, dict[str, Any]]) -> Path:
    """A tree with these series: folder and name, slices, what is special about it."""
    for name, count, changes in series:
        for number in range(count):
            save(image(name, number, **changes), folder / name / f"IM{number:03}")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two patients, three series, and what else lies about in an archive."""
    root = grow(
        tmp_path / "archive",
        ("DOE^JOHN/one", 3, {}),
        ("DOE^JOHN/two", 2, {"SeriesNumber": 4, "ConvolutionKernel": "B70f"}),
        ("ROE/three", 2, {"StudyInstanceUID": uid("other study"), "SeriesNumber": 1}),
    )
    scout = image("scout", 0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    save(scout, root / "DOE^JOHN/scout/IM0")
    (root / "readme.txt").write_text("not DICOM")
    return root


def run(*arguments: object) -> int:
    return main(["reduce", *map(str, arguments), "--method", "li"])


def rows(output: Path) -> list[dict[str, str]]:
    with (output / SUMMARY).open(newline="") as file:
        return list(csv.DictReader(file))


def by_source(output: Path) -> dict[str, dict[str, str]]:
    return {row["source"]: row for row in rows(output)}


def test_series_are_found_by_what_makes_them_one(tree):
    contents = find_series(tree)
    assert sorted(len(one.files) for one in contents.series) == [2, 2, 3]
    assert [(one.file, one.reason) for one in contents.aside] == [
        ("DOE^JOHN/scout/IM0", "localizer")
    ]
    assert contents.others == 1
    assert find_series(tree) == contents


def test_names_say_nothing_about_the_patient_and_never_change(tree, tmp_path):
    moved = tmp_path / "elsewhere" / "x"
    shutil.copytree(tree, moved)
    names = [one.name for one in find_series(tree).series]
    assert names == [one.name for one in find_series(moved).series]
    assert len(set(names)) == 3
    assert not any(secret in name for secret in SECRETS for name in names)


@pytest.mark.parametrize(
    "changes",
    [
        {"ConvolutionKernel": "B80f"},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]},
        {"PixelSpacing": [4.0, 4.0]},
        {"Rows": 32, "PixelData": bytes(2 * 32 * SIDE)},
        {"SeriesInstanceUID": uid("other")},
        {"StudyInstanceUID": uid("other")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_one_uid_can_hold_several_reconstructions(tmp_path, changes):
    grow(tmp_path, ("a", 2, {}))
    other = image("a", 7, **changes)
    save(other, tmp_path / "a" / "odd")
    assert sorted(len(one.files) for one in find_series(tmp_path).series) == [1, 2]


@pytest.mark.parametrize(
    ("spoil", "reason", "broken"),
    [
        (lambda p: save(image("x", 0, Modality="MR"), p), "MR, CT Image Storage", False),
        (lambda p: save(image("x", 0, NumberOfFrames=4), p), "multi-frame", False),
        (lambda p: save(image("x", 0, Rows=None), p), "states no image size", True),
        (lambda p: p.write_bytes(bytes(128) + b"DICM" + b"\2\0\0\0UL\4\0junk"), "damaged", True),
        (lambda p: shutil.copy(p.parent / "one/IM001", p), "a copy of DOE^JOHN/one/IM001", False),
    ],
    ids=["not CT", "multi-frame", "no size", "junk", "copy"],
)
def test_every_other_object_is_set_aside_with_its_reason(tree, spoil, reason, broken):
    spoil(tree / "DOE^JOHN" / "zzz")
    (found,) = [one for one in find_series(tree).aside if one.file == "DOE^JOHN/zzz"]
    assert reason in found.reason
    assert found.broken is broken
    assert len(find_series(tree).series) == 3


def test_odd_headers_are_sorted_all_the_same(tmp_path):
    odd = {"KVP": "", "ConvolutionKernel": None, "ImageOrientationPatient": None}
    grow(tmp_path, ("a", 1, odd), ("b", 1, {"SeriesNumber": -3}))
    file = tmp_path / "a" / "IM000"
    header = file.read_bytes()
    assert header.count(b"DS\4\x002.5 ") == 1
    file.write_bytes(header.replace(b"DS\4\x002.5 ", b"DS\4\0thin"))
    assert [len(one.files) for one in find_series(tmp_path).series] == [1, 1]


def test_a_dry_run_says_everything_and_writes_nothing(tree, tmp_path, capsys):
    before = hashes(tmp_path)
    assert run(tree, tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "3 series to reduce, 0 done before, 1 object set aside, 1 not DICOM" in said
    assert "DOE^JOHN/scout/IM0: localizer" in said
    assert said.count("to do ") == 3
    assert "B70f  in DOE^JOHN/two" in said
    assert hashes(tmp_path) == before
    assert not (tmp_path / "out").exists()
    assert run(tree / "ROE", tmp_path / "out", "--dry-run") == 0
    assert "1 series to reduce" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_one_series_is_done_as_ever(tree, tmp_path):
    assert run(tree / "DOE^JOHN" / "one", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"IM000", "IM001", "IM002"}


def test_each_series_comes_out_as_if_it_had_been_alone(tree, tmp_path, capsys):
    before = hashes(tree)
    out = tmp_path / "out"
    assert run(tree, out) == 0
    assert hashes(tree) == before
    found = by_source(out)
    assert set(found) == {"DOE^JOHN/one", "DOE^JOHN/two", "ROE/three", "DOE^JOHN/scout/IM0"}
    for source in ("DOE^JOHN/one", "DOE^JOHN/two", "ROE/three"):
        row = found[source]
        place = out / row["output"]
        single = tmp_path / "single" / source
        assert run(tree / source, single) == 0
        assert sorted(hashes(place).values()) == sorted(hashes(single).values())
        assert row["status"] == DONE
        assert row["with_metal"] == row["changed"] == "1"
        assert float(row["metal_ml"]) > 0
        names = sorted(path.name for path in place.iterdir())
        assert names == [f"{number:04}.dcm" for number in range(1, int(row["images"]) + 1)]
        numbers = [pydicom.dcmread(place / name).InstanceNumber for name in names]
        assert numbers == sorted(numbers)
    assert found["DOE^JOHN/scout/IM0"]["reason"] == "localizer"
    everything = [path.relative_to(out).as_posix() for path in out.rglob("*")]
    assert not [name for name in everything for secret in SECRETS if secret in name]
    assert "3 of 3" in capsys.readouterr().err


def test_what_fails_is_said_and_all_else_is_done(tree, tmp_path, capsys):
    changes = {"SeriesNumber": 4, "ConvolutionKernel": "B70f", "SOPInstanceUID": uid("different")}
    twice = image("DOE^JOHN/two", 1, **changes)
    save(twice, tree / "DOE^JOHN/two/IM9")
    (tree / "broken").write_bytes((tree / "ROE/three/IM000").read_bytes()[:400])
    out = tmp_path / "out"
    assert run(tree, out) == 1
    found = by_source(out)
    assert found["DOE^JOHN/two"]["status"] == FAILED
    assert "more than one image" in found["DOE^JOHN/two"]["reason"]
    assert found["DOE^JOHN/one"]["status"] == found["ROE/three"]["status"] == DONE
    assert not (out / found["DOE^JOHN/two"]["output"]).exists()
    assert "damaged" in found["broken"]["reason"]
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "1 of 3 series failed" in last
    assert "1 file" in last


def test_what_is_done_is_not_done_again(tree, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(tree, out) == 0
    first, before = by_source(out), hashes(out)
    lost = first["DOE^JOHN/two"]["output"]
    shutil.rmtree(out / lost)
    (out / ".unmetal-left").mkdir()
    (out / ".unmetal-left" / "half").write_text("half")
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.dcm")}
    capsys.readouterr()
    assert run(tree, out) == 0
    said = capsys.readouterr()
    assert "1 series to reduce, 2 done before" in said.out
    assert "1 of 1" in said.err
    assert not (out / ".unmetal-left").exists()
    assert {path: path.stat().st_mtime_ns for path in times} == times
    after = by_source(out)
    assert after["DOE^JOHN/one"]["status"] == "done before"
    assert after["DOE^JOHN/one"]["metal_ml"] == first["DOE^JOHN/one"]["metal_ml"]
    dicom = {name: value for name, value in before.items() if name.endswith(".dcm")}
    assert {name: value for name, value in hashes(out).items() if name in dicom} == dicom


def test_more_asked_for_is_done_and_another_result_is_never_mixed_in(tree, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(tree, out) == 0
    before = hashes(out)
    assert run(tree, out, "--metal-hu", "2000") == 1
    assert "3 of 3 series failed" in capsys.readouterr().err
    assert all("--force" in row["reason"] for row in rows(out) if row["images"])
    assert {k: v for k, v in hashes(out).items() if k != SUMMARY} == {
        k: v for k, v in before.items() if k != SUMMARY
    }
    assert run(tree, out, "--save-difference") == 0
    assert len(list(out.glob("*-difference"))) == 3
    assert run(tree, out) == 0
    assert "3 done before" in capsys.readouterr().out
    assert run(tree, out, "--save-difference") == 0
    assert "3 done before" in capsys.readouterr().out
    assert run(tree, out, "--metal-hu", "2000", "--force") == 0


def test_a_series_that_grew_is_not_finished(tree, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(tree, out) == 0
    save(image("ROE/three", 2, StudyInstanceUID=uid("other study"), SeriesNumber=1), tree / "ROE/x")
    assert run(tree, out) == 1
    assert "1 of 3 series failed" in capsys.readouterr().err


def test_what_unmetal_made_is_set_aside(tree, tmp_path, capsys):
    assert run(tree / "ROE", tmp_path / "made") == 0
    shutil.move(tmp_path / "made", tree / "made")
    assert run(tree, tmp_path / "out", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "3 series to reduce" in said
    assert said.count("made by unmetal") == 2


@pytest.mark.parametrize("place", ["archive", "archive/out", "."])
def test_the_output_lies_apart_from_the_input(tree, tmp_path, place, capsys):
    before = hashes(tmp_path)
    assert run(tree, tmp_path / place) == 1
    assert "over the input" in capsys.readouterr().err
    assert hashes(tmp_path) == before


def test_a_folder_of_other_things_is_left_alone(tree, tmp_path, capsys):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / SUMMARY).write_text("my,summary\n")
    before = hashes(tmp_path)
    for place, why in (("home", "other things"), ("own", "not a summary of ours")):
        assert run(tree, tmp_path / place) == 1
        assert why in capsys.readouterr().err
    assert hashes(tmp_path) == before


def test_two_runs_do_not_share_an_output(tmp_path):
    nothing = Plan(tmp_path, tmp_path, (), (), 0)
    with exclusive_lock(tmp_path), pytest.raises(InputError, match="another run"):
        run_plan(nothing, lambda items: iter(()))
    run_plan(nothing, lambda items: iter(()))


@pytest.mark.recipe
def test_each_series_has_a_report_and_the_archive_an_index(tree, tmp_path):
    out, report = tmp_path / "out", tmp_path / "report"
    assert run(tree, out) == 0
    assert run(tree, out, "--report", report) == 0
    names = {row["output"] for row in rows(out) if row["output"]}
    assert {path.name for path in report.iterdir()} == names | {"index.html"}
    for page in report.rglob("*.html"):
        text = page.read_text()
        assert not [secret for secret in SECRETS if secret in text]
    index = (report / "index.html").read_text()
    assert all(f'href="{name}/report.html"' in index for name in names)
    assert {row["made"] for row in rows(out) if row["output"]} == {"result report"}


def item(name: str) -> Item:
    return Item(
        CTSeries(name, (f"{name}/a", f"{name}/b"), "1.2", "", own=False), Path(), Path(name)
    )


def dies_of_bad(one: Item) -> Outcome:
    """Something that ends its process, as running out of memory does."""
    if "bad" in one.series.name:
        os._exit(9)
    return Outcome(changed=os.getpid())


@pytest.mark.recipe
def test_a_process_that_dies_takes_no_other_series_with_it():
    items = [item(name) for name in ("a", "bad", "b", "c")]
    tried = side_by_side(items, dies_of_bad, jobs=2, died=Outcome(error=DIED))
    done = {one.series.name: outcome for one, outcome in tried}
    assert {name for name, outcome in done.items() if outcome.error} == {"bad"}
    assert done["bad"].error == DIED
    assert os.getpid() not in {outcome.changed for outcome in done.values()}
    assert set(done) == {"a", "bad", "b", "c"}


def test_a_bug_ends_one_series_only(tree, tmp_path, monkeypatch, capsys):
    real = files.write_all

    def fails_once(outputs: Any, *, force: bool = False) -> None:
        if "0004" in outputs[0].path.name:
            raise ZeroDivisionError("of ours")
        real(outputs, force=force)

    monkeypatch.setattr(files, "write_all", fails_once)
    assert run(tree, tmp_path / "out") == 1
    found = by_source(tmp_path / "out")
    assert found["DOE^JOHN/two"]["reason"] == "a bug of unmetal: ZeroDivisionError: of ours"
    assert found["DOE^JOHN/one"]["status"] == DONE
    assert "Traceback" not in capsys.readouterr().err


def test_failures_are_judged_after_the_rest():
    done = replace(item("a"), status=DONE)
    plan = Plan(Path("in"), Path("out"), (done,), (), 0)
    raise_if_failed(plan)
    with pytest.raises(InputError, match="1 of 2 series failed, first b"):
        raise_if_failed(replace(plan, items=(done, replace(item("b"), status=FAILED))))


def test_the_common_folder_of_a_series_is_found():
    def of(*files: str) -> str:
        return replace(item("a").series, files=files).folder

    assert of("p/s/1", "p/s/2") == "p/s"
    assert of("p/s1/1", "p/s2/2") == "p"
    assert of("1", "2") == "."
    assert of("p/s/1") == "p/s"


@pytest.mark.recipe
def test_a_kill_loses_nothing_and_leaves_nothing_half_written(tmp_path):
    tree = grow(tmp_path / "many", *((f"s{i}", 3, {"SeriesNumber": i}) for i in range(8)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "unmetal", "reduce", str(tree), str(out), "--method", "li"]
    running = subprocess.Popen(
        [*command, "--jobs", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def whole() -> list[Path]:
        return [path for path in out.glob("*-*-*") if path.is_dir()]

    until(lambda: whole() or running.poll() is not None, 120)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    until(lambda: not alive(running.pid), 30)
    assert 1 <= len(whole()) <= 8
    assert all(len(list(path.iterdir())) == 3 for path in whole())
    assert {*rows(out)[0]} == set(COLUMNS)
    assert run(tree, out) == 0
    assert len(whole()) == 8
    assert all(row["status"] in {DONE, "done before"} for row in rows(out))
    assert not list(out.glob(".unmetal-*"))


def alive(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def until(true: Any, seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "took too long"
        time.sleep(0.02)
