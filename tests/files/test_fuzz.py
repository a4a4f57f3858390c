"""Whatever a file holds, a user sees one line; and what is promised of values holds for all."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from ct_files import SIZE, ct_image, hashes, save
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from unmetal.errors import InputError
from unmetal.files import Derivation, read, write
from unmetal.files.dicom.derived_header import series_description
from unmetal.files.dicom.provenance import derived_uid
from unmetal.files.dicom.reading import tolerant
from unmetal.files.hounsfield import read_back, to_hu, to_stored

HERE = Path(__file__).parent

CASES = 5000
"""Damaged files in the slow tier."""

CHUNK = 250
"""Of them in a process of its own."""

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("steady")


@cache
def sound(syntax: str) -> bytes:
    """A whole DICOM file."""
    image = ct_image(0, 0.0)
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax != ExplicitVRLittleEndian:
        stored = np.frombuffer(image.PixelData, "<u2").reshape(SIZE)
        image.compress(syntax, stored, generate_instance_uid=False)
    with tempfile.TemporaryDirectory() as folder:
        return save(image, Path(folder, "IM")).read_bytes()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A DICOM file with some bytes set, and perhaps cut short."""
    content = bytearray(sound(draw(SYNTAXES)))
    for place in draw(st.lists(st.integers(128, len(content) - 1), max_size=12)):
        content[place] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(100, len(content)))])


SYNTAXES = st.sampled_from([ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])


@given(damaged())
def test_damaged_files_are_read_or_refused_in_one_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "IM")
        path.write_bytes(content)
        with contextlib.suppress(InputError):
            volume = read(path, log_warnings=False)
            assert np.isfinite(volume.hu).all()
            write(volume, Path(folder, "out.dcm"))
        assert set(hashes(Path(folder))) <= {"IM", "out.dcm"}


TEXTS = st.text(max_size=80)

ODD = st.fixed_dictionaries(
    {},
    optional={
        "SeriesDescription": TEXTS,
        "SeriesNumber": st.integers(-(2**31), 2**31 - 1),
        "PatientName": TEXTS,
        "DerivationDescription": TEXTS,
        "ManufacturerModelName": TEXTS,
        "ImageType": st.lists(st.text("ABC_ ", max_size=16), max_size=6),
        "SliceThickness": st.floats(allow_nan=False, allow_infinity=False),
        "RescaleSlope": st.floats(0.001, 100),
        "RescaleIntercept": st.floats(-5000, 5000),
        "KVP": st.floats(allow_nan=False, allow_infinity=False),
        "SpecificCharacterSet": st.sampled_from(["", "ISO_IR 100", "ISO_IR 192", "nonsense"]),
    },
)


@given(ODD)
def test_odd_headers_are_derived_or_refused_in_one_line(changes: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, tolerant():
        try:
            path = save(ct_image(0, 0.0, **changes), Path(folder, "IM"))
        except (ValueError, TypeError, OverflowError, UnicodeError):
            return  # no file can hold it
        with contextlib.suppress(InputError):
            write(read(path, log_warnings=False), Path(folder, "out.dcm"))
            before, after = pydicom.dcmread(path), pydicom.dcmread(Path(folder, "out.dcm"))
            assert after.StudyInstanceUID == before.StudyInstanceUID
            assert after.PixelData == before.PixelData
            assert len(after.SeriesDescription) <= 64


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4, unique=True))
def test_names_in_an_archive_never_become_paths_outside_of_one(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "in.zip")
        try:
            with zipfile.ZipFile(archive, "w") as file:
                for name in names:
                    file.writestr(zipfile.ZipInfo(name), sound(ExplicitVRLittleEndian))
        except (ValueError, UnicodeError):
            return
        with contextlib.suppress(InputError):
            volume = read(archive, log_warnings=False)
            for one in volume.source.slices:
                inside = Path(folder, "x", one.name).resolve()
                assert Path(folder, "x").resolve() in inside.parents
        assert list(hashes(Path(folder))) == ["in.zip"]


INTEGERS = st.sampled_from([np.int16, np.uint16, np.int32])


@st.composite
def stored_numbers(draw: st.DrawFn) -> tuple[np.ndarray, float, float, np.ndarray]:
    """Stored integers, slope and intercept in HU, and which of them are changed."""
    kind = draw(INTEGERS)
    values = st.integers(max(np.iinfo(kind).min, -(2**20)), min(np.iinfo(kind).max, 2**20))
    stored = draw(arrays.arrays(kind, (4, 5), elements=values))
    changed = draw(arrays.arrays(bool, (4, 5)))
    slope = draw(st.sampled_from([1.0, -1.0, 0.5, 1 / 3, 0.1, 2.5, 0.0123]))
    return stored, slope, draw(st.floats(-3000, 3000)), changed


@given(stored_numbers(), st.floats(-1e7, 1e7, width=32))
def test_what_was_not_changed_keeps_its_stored_number(
    numbers: tuple[np.ndarray, float, float, np.ndarray], change: float
) -> None:
    stored, slope, intercept, changed = numbers
    before = to_hu(stored, slope, intercept)
    after = np.where(changed, before + np.float32(change), before).astype(np.float32)
    written, clipped = to_stored(after, stored, None, slope, intercept)
    np.testing.assert_array_equal(written[~changed], stored[~changed])
    back, counted = read_back(after, stored, None, slope, intercept)
    assert counted == clipped <= changed.sum()
    again, none = read_back(back, stored, None, slope, intercept)
    np.testing.assert_array_equal(again, back)
    assert none == 0
    if not clipped:
        # Half a step, and what float32 cannot tell apart.
        error = np.abs(back - after)
        assert (error <= abs(slope) / 2 + 4e-7 * np.abs(after) + 1e-6).all()


@given(TEXTS, st.text(min_size=1, max_size=40), st.lists(st.text("abc-8", min_size=1), max_size=9))
def test_a_series_description_always_fits_and_always_says_research(
    text: str, method: str, keys: list[str]
) -> None:
    said = series_description(text, Derivation(method, warnings=tuple(keys)))
    assert len(said) <= 64
    assert " - research]" in said


FIELDS = ("method", "description", "weights")


@given(st.text(), st.text(), st.sampled_from(FIELDS), st.text())
def test_uids_are_the_same_for_the_same_and_differ_for_anything_else(
    source: str, other: str, field: str, value: str
) -> None:
    done = Derivation("ADN", weights="ab")
    uid = derived_uid(source, done)
    assert uid.is_valid
    assert uid == derived_uid(source, replace(done, warnings=("kvp",), outcome="x", compress="rle"))
    assert (derived_uid(other, done) == uid) == (other == source)
    # One text moved from one field into the next is another derivation.
    shifted = replace(done, method="AD", description="N" + done.description)
    assert derived_uid(source, shifted) != uid
    changed = replace(done, **{field: value})
    assert (derived_uid(source, changed) == uid) == (changed == done)


def outcomes(first: int, count: int, folder: Path) -> list[dict[str, Any]]:
    """What became of damaged series, in another process."""
    command = [sys.executable, "fuzzing.py", str(first), str(count), str(folder)]
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=60 + 20 * count, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    crashed = f"case {first + len(lines)} ended the process ({done.returncode}): {done.stderr}"
    assert len(lines) == count, crashed
    return lines


@pytest.mark.recipe
def test_forty_damaged_series_are_reduced_or_refused_in_one_line(tmp_path: Path) -> None:
    found = outcomes(0, 40, tmp_path)
    assert not [one for one in found if one["problem"]]
    assert {one["code"] for one in found} == {0, 1}


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, CASES, CHUNK))
def test_thousands_of_damaged_series_are_reduced_or_refused_in_one_line(
    first: int, tmp_path: Path
) -> None:
    assert not [one for one in outcomes(first, CHUNK, tmp_path) if one["problem"]]
