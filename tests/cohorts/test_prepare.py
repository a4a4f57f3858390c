"""`unmetal prepare` on archives laid out as the originals are, whole, interrupted and again."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from archives import (
    deeplesion,
    everything,
    hospital,
    manifest,
    series,
    slice_of,
    slices,
    spineweb,
)
from ct_files import hashes
from PIL import Image

from unmetal.__main__ import main
from unmetal.cohorts.preparation import prepare as engine
from unmetal.cohorts.preparation.pseudonyms import Key
from unmetal.cohorts.preparation.reader import ChunkResult, Reader, resize_square
from unmetal.cohorts.preparation.request import Limits, Request
from unmetal.cohorts.prepared import Prepared
from unmetal.errors import InputError

KEY = Key(b"the same in all tests")


def prepared(source: Path, output: Path, key: Key = KEY, **options) -> list[dict[str, str]]:
    """The manifest of a cohort prepared in this process."""
    kept = output.parent / f"{output.name}.key"
    key.save(kept)
    request = Request(source, **options)
    engine.prepare(request, output, jobs=0, key_file=kept)
    return manifest(output)


def decisions(rows: list[dict[str, str]]) -> list[str]:
    return [row["decision"] for row in rows]


def by_patient(rows: list[dict[str, str]]) -> dict[str, set[str]]:
    """Patient -> splits."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row["split"]:
            found.setdefault(row["patient"], set()).add(row["split"])
    return found


# ---------------------------------------------------------------------------- the four kinds


def test_a_tree_of_dicom(tmp_path):
    before = hashes(hospital(tmp_path / "archive", affected=5, clean=5))
    rows = prepared(tmp_path / "archive", tmp_path / "out")
    assert hashes(tmp_path / "archive") == before
    assert decisions(rows).count("affected") == decisions(rows).count("clean") == 15
    assert len(by_patient(rows)) == 10
    assert all(len(splits) == 1 for splits in by_patient(rows).values())
    trained = {row["decision"] for row in rows if row["split"] == "train"}
    assert trained == {"affected", "clean"}
    assert [row["index"] for row in rows] == [str(place) for place in range(30)]
    held = Prepared.load(tmp_path / "out")
    assert held.decision.tolist() == decisions(rows)
    assert np.allclose(held.pixel, 1.5 * 64 / 256)
    affected = [place for place, row in enumerate(rows) if row["decision"] == "affected"]
    assert all((held.slice(place) > 2500).sum() > 400 * 14 for place in affected)


def test_spineweb_as_it_is_laid_out(tmp_path, reference):
    """Real slices of it, at twice their size: the samples were halved after the rule."""
    samples = reference / "adn_reference"

    def real(kind: str) -> list[np.ndarray]:
        found = [np.load(path) for path in sorted(samples.glob(f"spineweb__{kind}_art__*.npy"))]
        return [one.repeat(2, 0).repeat(2, 1) for one in found]

    affected, clean = real("with"), real("without")
    volumes = {
        "spine-1/patient0156/4389889/4389889.nii.gz": np.stack([affected[0], clean[0]]),
        "spine-1/patient0191/4534880/4534880.mhd": np.stack([affected[1]]),
        "spine-2/patient0101/3109354/3109354.nii.gz": np.stack([clean[1], clean[2]]),
    }
    rows = prepared(spineweb(tmp_path / "raw", volumes), tmp_path / "out", kind="spineweb")
    assert decisions(rows) == ["affected", "clean", "affected", "clean", "clean"]
    assert [row["slice"] for row in rows] == ["0", "1", "0", "0", "1"]
    sizes = [int(row["component_px"]) for row in rows if row["decision"] == "affected"]
    assert all(400 < size < 4 * 376 for size in sizes)
    mixed = rows[1]
    assert (mixed["split"], mixed["index"]) == ("", "")
    assert mixed["reason"] == "of this patient the affected slices are used"
    # What was doubled is halved: the slices are the samples again, but for the edges of bicubic.
    back = slices(tmp_path / "out")[0]
    error = np.abs(back - affected[0][::2, ::2].clip(-1000))
    assert np.median(error) <= 25
    assert {row["pixel_mm"] for row in rows} == {"0.5"}


def test_the_rule_sees_slices_before_they_are_resized(tmp_path):
    """410 pixels at native size are 102 after halving, and would no longer be enough."""
    hu = np.full((512, 512), -1000.0)
    hu[100:400, 60:450] = 40
    hu[200:241, 200:210] = 3000
    volumes = {"patient1/a/a.nii.gz": hu[None], "patient2/b/b.nii.gz": hu[None]}
    rows = prepared(spineweb(tmp_path / "raw", volumes), tmp_path / "out", kind="spineweb")
    assert decisions(rows) == ["affected", "affected"]
    assert {row["component_px"] for row in rows} == {"410"}
    assert ((slices(tmp_path / "out")[0] > 2500).sum()) < 120


def test_deeplesion_by_stride_and_without_real_metal(tmp_path, reference):
    """Real slices in its form; of those with a chest port none is left."""

    def real(path: Path) -> np.ndarray:
        return np.asarray(Image.open(path)).astype(float) - 1024

    with (reference / "index.csv").open() as file:
        index = [row for row in csv.DictReader(file) if row["split"] == "train"]
    metal = [row["file"] for row in index if row["kind"] != "clean" and "cmb_crc" in row["file"]][
        :2
    ]
    clean = [row["file"] for row in index if row["kind"] == "clean"][::90][:3]
    assert (len(metal), len(clean)) == (2, 3)
    images = [reference / name for name in (*metal, *clean)]
    tree = {f"00000{p}_01_01/{n:03}.png": real(i) for p, i in enumerate(images) for n in (1, 2)}
    deeplesion(tmp_path / "DL", tree)
    (tmp_path / "DL" / "DL_info.csv").write_text(
        'File_name,Spacing_mm_px_\n000002_01_01_001.png,"0.7, 0.7, 5"\n'
    )
    rows = prepared(tmp_path / "DL", tmp_path / "out", kind="deeplesion", every=2)
    assert [(row["decision"], row["reason"]) for row in rows[:2]] == [
        ("left out", "metal in the body")
    ] * 2
    assert decisions(rows[2:]) == ["clean"] * 3
    assert [float(row["pixel_mm"]) for row in rows] == [0.75, 0.75, 0.7, 0.75, 0.75]
    about = json.loads((tmp_path / "out" / "cohort.json").read_text())
    assert about["every"] == 2
    first = real(images[2])
    kept = slices(tmp_path / "out")[0].astype(float)
    assert abs(kept.mean() - first.clip(-1000).mean()) < 2, "HU are kept, and nothing is turned"
    assert np.corrcoef(kept.ravel(), first[::2, ::2].ravel())[0, 1] > 0.95


def test_the_stride_of_deeplesion_is_ten_unless_said(tmp_path):
    tree = {f"000001_01_01/{n:03}.png": slice_of(seed=n) for n in range(21)}
    deeplesion(tmp_path / "DL", tree)
    assert len(prepared(tmp_path / "DL", tmp_path / "a", kind="deeplesion")) == 3
    listed = tmp_path / "list.txt"
    listed.write_text("000001_01_01/004.png\n000001_01_01/099.png\n")
    rows = prepared(tmp_path / "DL", tmp_path / "b", kind="deeplesion", listed=listed)
    assert [row["reason"] for row in rows] == ["", "listed, but not there"]


def test_cone_beam_ct_with_clean_slices_of_ct(tmp_path, reference):
    """Metal of SpineWeb with the noise of cone-beam CT, beside a real head without metal."""
    rough = np.random.default_rng(0)
    samples = sorted((reference / "adn_reference").glob("spineweb__with_art__*.npy"))
    for number, path in enumerate(samples):
        hu = np.load(path).repeat(2, 0).repeat(2, 1)
        hu = hu + rough.normal(0, 80, hu.shape)
        noise_only = rough.normal(0, 900, hu.shape)
        series(tmp_path / "cbct" / str(number), f"cb{number}", [hu, noise_only])
    head = reference / "dicom" / "qa_ct_ge_head"
    for name in ("07.dcm", "22.dcm", "25.dcm"):
        (tmp_path / "ct").mkdir(exist_ok=True)
        shutil.copy(head / name, tmp_path / "ct" / name)
    rows = prepared(tmp_path / "cbct", tmp_path / "out", kind="cbct", clean=tmp_path / "ct")
    cone, ct = rows[:6], rows[6:]
    assert decisions(cone) == ["affected", "left out"] * 3, "noise is no piece of metal"
    assert [float(row["max_hu"]) for row in ct] == [2043, 1631, 1549]
    assert decisions(ct) == ["left out", "clean", "clean"]
    assert json.loads((tmp_path / "out" / "cohort.json").read_text())["rule"] == "only_affected"


def test_any_other_tree(tmp_path):
    hospital(tmp_path / "in", affected=1, clean=1)
    spineweb(tmp_path / "in", {"third/x.nii.gz": slice_of(450)[None]})
    deeplesion(tmp_path / "in", {"fourth/slice.png": slice_of(seed=5)})
    np.save(tmp_path / "in" / "fifth.npy", np.stack([slice_of(), slice_of(401), slice_of(400)]))
    rows = prepared(tmp_path / "in", tmp_path / "out")
    assert decisions(rows).count("affected") == 3 + 1 + 1
    assert decisions(rows).count("clean") == 3 + 1 + 1
    assert decisions(rows).count("left out") == 1
    assert len({row["patient"] for row in rows}) == 5


# ---------------------------------------------------------------------------- who is who


def test_no_identifier_of_the_source_is_in_the_output(tmp_path):
    source = hospital(tmp_path / "S^ECRET" / "arch1ve", affected=2, clean=2)
    (source / "DOE^JOHN0" / "CT" / "SMITH.dcm").write_text("not DICOM, of SMITH")
    series(source / "bad", "BAD^ONE", [slice_of()])
    bad = source / "bad" / "IM000.dcm"
    bad.write_bytes(bad.read_bytes().replace(b"1.5\\1.5 ", b"GRAY^TOM"))
    assert b"GRAY" in bad.read_bytes()
    series(source / "mr", "MR^ONE", [slice_of()], Modality="QQQQQQQQQ")
    odd = source / "mr" / "IM000.dcm"
    odd.write_bytes(odd.read_bytes().replace(b"QQQQQQQQQ", b"BLACK^ANN"))
    deep = {"LORD^X/s.png": slice_of()}
    deeplesion(source, deep)
    secrets = {"ROE", "JANE", "DOE", "JOHN", "SMITH", "GRAY", "LORD", "BLACK", "S^ECRET", "BAD^"}
    secrets |= {"roe-", "doe-", "1.2.826", "IM00", "Images_png", ".dcm", "arch1ve", "Name", "MR^"}
    prepared(source, tmp_path / "out")
    found = everything(tmp_path / "out")
    assert not {secret for secret in secrets if secret.encode() in found}
    assert b"affected" in found
    assert len(manifest(tmp_path / "out")) == 12 + 1 + 1 + 1 + 1


def test_the_working_folder_names_nobody_either(tmp_path, monkeypatch):
    source = hospital(tmp_path / "archive", affected=2, clean=0)

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "assemble", killed)
    with pytest.raises(KeyboardInterrupt):
        prepared(source, tmp_path / "out")
    (left,) = tmp_path.glob(".unmetal-*")
    found = everything(left)
    assert b"affected" in found
    assert not [s for s in (b"ROE", b"roe-", b"1.2.826", b"IM00") if s in found]


def test_a_key_links_names_to_files_and_without_it_nobody_can(tmp_path):
    source = hospital(tmp_path / "archive", affected=1, clean=1)
    rows = prepared(source, tmp_path / "one")
    again = prepared(source, tmp_path / "two")
    assert rows == again
    other = prepared(source, tmp_path / "three", key=Key(b"another"))
    assert [row["decision"] for row in rows] == [row["decision"] for row in other]
    assert not {row["source"] for row in rows} & {row["source"] for row in other}
    files = json.loads((tmp_path / "one.key").read_text())["files"]
    assert {Path(files[row["source"]]).name for row in rows} == {
        "IM000.dcm",
        "IM001.dcm",
        "IM002.dcm",
    }


def test_patients_by_folder(tmp_path):
    for folder in ("A", "B"):
        series(tmp_path / "in" / folder, "ANONYMOUS", [slice_of(450)], name=folder)
    assert len({row["patient"] for row in prepared(tmp_path / "in", tmp_path / "a")}) == 1
    by_folder = prepared(tmp_path / "in", tmp_path / "b", patients="folder")
    assert len({row["patient"] for row in by_folder}) == 2


def test_an_image_is_taken_once(tmp_path):
    hospital(tmp_path / "in", affected=1, clean=1)
    shutil.copytree(tmp_path / "in" / "ROE^JANE0", tmp_path / "in" / "backup")
    rows = prepared(tmp_path / "in", tmp_path / "out")
    assert [row["reason"] for row in rows].count("a copy of another image") == 3
    assert len([row for row in rows if row["index"]]) == 6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "text burned into the image, which may say whose it is"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "slices are not axial"),
        ({"PixelSpacing": [1.5, 1.0]}, "pixels are not square"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "no CT slices in it (1 x localizer)"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_what_nothing_is_to_be_learned_from(tmp_path, changes, reason):
    hospital(tmp_path / "in", affected=1, clean=1)
    series(tmp_path / "in" / "odd", "odd", [slice_of()], **changes)
    rows = prepared(tmp_path / "in", tmp_path / "out")
    assert [row["reason"] for row in rows if row["decision"] == "left out"] == [reason]


# ---------------------------------------------------------------------------- again and again


def test_a_preparation_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    source = hospital(tmp_path / "in", affected=10, clean=10)
    whole = prepared(source, tmp_path / "whole")
    calls: list[str] = []
    real = Reader.slices

    def counted(self, chunk, file, spacing):
        calls.append(file)
        if len(calls) == 40:
            raise KeyboardInterrupt
        return real(self, chunk, file, spacing)

    monkeypatch.setattr(Reader, "slices", counted)
    with pytest.raises(KeyboardInterrupt):
        prepared(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert prepared(source, tmp_path / "out") == whole
    assert len(calls) == 40 + 28, "the first 32 files were not read again"
    assert np.array_equal(slices(tmp_path / "out"), slices(tmp_path / "whole"))
    assert not [*tmp_path.glob(".unmetal-*")]


@pytest.mark.recipe
def test_a_killed_command_goes_on_with_no_loss_and_no_double_entry(tmp_path):
    source = hospital(tmp_path / "in", affected=16, clean=16)
    common = ["prepare", str(source)]
    whole, halved = (str(tmp_path / name) for name in ("whole", "out"))
    key = ["--key", str(tmp_path / "key.json")]
    assert main([*common, whole, *key, "--jobs", "0"]) == 0
    arguments = [sys.executable, "-m", "unmetal", *common, halved, *key, "--jobs", "1"]
    process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True)
    scratch = tmp_path / ".unmetal-out"
    give_up = time.monotonic() + 60
    while not [*scratch.glob("*.npz")] and time.monotonic() < give_up:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert [*scratch.glob("*.npz")], "there is something to go on with"
    assert not (tmp_path / "out").exists()
    assert main([*common, halved, *key, "--jobs", "0"]) == 0
    assert manifest(tmp_path / "out") == manifest(tmp_path / "whole")
    assert everything(tmp_path / "out") == everything(tmp_path / "whole")


def test_a_damaged_part_and_a_changed_file_are_read_again(tmp_path, monkeypatch):
    source = hospital(tmp_path / "in", affected=1, clean=1)
    monkeypatch.setattr(engine, "assemble", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        prepared(source, tmp_path / "out")
    monkeypatch.undo()
    (part,) = (tmp_path / ".unmetal-out").glob("*.npz")
    part.write_bytes(part.read_bytes()[:2000])
    np.save(source / "new.npy", slice_of(401))
    rows = prepared(source, tmp_path / "out")
    assert decisions(rows).count("affected") == 4


def test_a_file_that_ends_its_process_takes_no_other_with_it(tmp_path, monkeypatch):
    """Which item a dead process took with it, `workers` tells: see test_archive."""
    source = hospital(tmp_path / "in", affected=1, clean=1)
    bad = source / "DOE^JOHN0" / "CT" / "IM001.dcm"

    def dies_of_bad(items, work, jobs, died):
        for chunk in items:
            yield chunk, died if bad in [chunk.root / file for file in chunk.files] else work(chunk)

    monkeypatch.setattr(engine, "side_by_side", dies_of_bad)
    monkeypatch.setattr(
        engine, "one_by_one", lambda i, w: dies_of_bad(i, w, 1, ChunkResult(died=True))
    )
    rows = prepared(source, tmp_path / "out")
    assert [row["reason"] for row in rows] == ["", engine.DIED, "", "", "", ""]
    assert [row["index"] for row in rows] == ["0", "", "1", "2", "3", "4"]
    kept = slices(tmp_path / "out")
    assert [bool((hu > 2500).any()) for hu in kept] == [False] * 2 + [True] * 3


def test_what_is_there_is_kept_unless_forced(tmp_path):
    source = hospital(tmp_path / "in", affected=1, clean=1)
    prepared(source, tmp_path / "out")
    with pytest.raises(InputError, match="--force"):
        prepared(source, tmp_path / "out")
    request = replace(Request(source), limits=Limits(component_px=1000))
    engine.prepare(request, tmp_path / "out", jobs=0, force=True)
    assert decisions(manifest(tmp_path / "out")).count("affected") == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out", "out.key"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        engine.prepare(request, tmp_path / "mine", jobs=0, force=True)


# ---------------------------------------------------------------------------- the command


@pytest.mark.recipe
def test_the_command(tmp_path, capsys):
    source = hospital(tmp_path / "in", affected=5, clean=5)
    before = hashes(source)
    assert main(["prepare", str(source), str(tmp_path / "out"), "--jobs", "0"]) == 0
    assert hashes(source) == before
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"manifest.csv", "cohort.json", "contact_sheet.png", "cohort"}
    said = capsys.readouterr().err
    assert "9 x train, affected" in said
    assert "3 x test, affected" in said
    with Image.open(tmp_path / "out" / "contact_sheet.png") as picture:
        assert picture.size[0] > 1000
    assert main(["prepare", str(source), str(tmp_path / "out")]) == 1
    assert "is prepared already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere", "out"], "is no folder"),
        (["empty", "out"], "nothing in it"),
        (["in", "in/out"], "lies over the input"),
        (["in", "."], "lies over the input"),
        (["in", "out", "--clean", "nowhere"], "is no folder"),
        (["in", "out", "--key", "in/key.json"], "lies over the input"),
        (["in", "out", "--key", "out/key.json"], "lies over the input"),
        (["in", "out", "--key", "text.txt"], "not a key"),
        (["in", "out", "--every", "3"], "--kind deeplesion"),
        (["in", "out", "--kind", "spineweb"], "nothing in it"),
        (["in", "out", "--clean-hu", "2600"], "overlap"),
        (["in", "out", "--withhold", "-1"], "0 or more"),
        (["in", "out", "--jobs", "-1"], "1 or more"),
        (["dense", "out", "--jobs", "0"], "no slice in it is affected or clean (3 x denser"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_cannot_be_prepared_is_said_in_a_line(
    tmp_path, monkeypatch, capsys, arguments, reason
):
    monkeypatch.chdir(tmp_path)
    hospital(tmp_path / "in", affected=1, clean=0)
    series(tmp_path / "dense", "x", [slice_of(top=2100, seed=k) for k in range(3)])
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    before = hashes(tmp_path)
    assert main(["prepare", *arguments]) == 1
    said = capsys.readouterr().err.splitlines()
    assert reason in said[-1]
    assert not [line for line in said if "Traceback" in line]
    assert hashes(tmp_path) == before
    assert not [*tmp_path.glob("**/.unmetal-*")]


# ---------------------------------------------------------------------------- slices


def test_slices_are_squared_and_resized_with_their_mean():
    hu = np.full((400, 512), -1000.0)
    hu[100:300, 156:356] = 40
    small = resize_square(hu)
    assert small.shape == (256, 256)
    assert small.dtype == np.int16
    rows, columns = np.nonzero(small > -500)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (100, 100)
    assert rows.min() == (56 + 100) // 2
    assert small.min() >= -1000
    assert (small + 1000.0).mean() == pytest.approx((hu + 1000).sum() / 512**2, rel=5e-3)
    assert resize_square(np.full((32, 32), 40000.0)).max() == 32767
