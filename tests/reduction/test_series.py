"""A series from file to file: what must not change does not, and whoever asks is told the rest."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813  (the name its documentation uses)
from ct_files import ct_image, hashes, save
from torch import Tensor

from unmetal import files
from unmetal.errors import InputError
from unmetal.files import outputs
from unmetal.files.dicom.derived_header import series_description
from unmetal.methods.method import Method
from unmetal.physics.derive import body_mask
from unmetal.reduction.metal_search import find_metal
from unmetal.reduction.reduce_series import Done, Tool, derivation, load_tool, reduce_series
from unmetal.reduction.settings import Settings
from unmetal.scan import Scan

SIDE, PIXEL, FILLER = 64, 3.0, -2000
AFFECTED = (1, 3)


class Dimmer(Method):
    """Takes 100 HU off everything, metal and air included."""

    def reduce(self, scan: Scan) -> Tensor:
        return scan.image - 0.0192


class Glow(Method):
    """Puts more into everything than any 12-bit scale holds."""

    def reduce(self, scan: Scan) -> Tensor:
        return scan.image + 10


class Breaks(Method):
    """Fails in the middle."""

    def reduce(self, scan: Scan) -> Tensor:
        raise InputError("it does not work on this one")


DIMMER = Tool(Dimmer(), "DIM")


def phantom(number: int) -> np.ndarray:
    """int16 stored numbers `[64 64]`, HU + 1024, filled outside a circle."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    stored = np.random.default_rng(number).normal(24, 5, (SIDE, SIDE)).astype("<i2")
    stored[np.hypot(y / 0.7, x) < 25] += 1040
    if number in AFFECTED:
        stored[np.hypot(y, x - 8) < 3] = (
            3500 + np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[np.hypot(y, x - 8) < 3]
        )
    stored[np.hypot(y, x) > 31] = FILLER
    return stored


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Five slices, two of them with metal."""
    for number in range(5):
        image = ct_image(
            number,
            2.5 * number,
            PixelSpacing=[PIXEL, PIXEL],
            Rows=SIDE,
            Columns=SIDE,
            BitsStored=16,
            HighBit=15,
            PixelRepresentation=1,
            PixelData=phantom(number).tobytes(),
        )
        image.add_new("PixelPaddingValue", "SS", FILLER)
        save(image, tmp_path / "in" / f"IM{number}")
    return tmp_path / "in"


def run(source: Path, output: Path, tool: Tool = DIMMER, **options: object) -> Done:
    return reduce_series(source, output, Settings(**options), tool)  # type: ignore[arg-type]


def stored(folder: Path) -> np.ndarray:
    return np.stack([pydicom.dcmread(path).pixel_array for path in sorted(folder.iterdir())])


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def uids(folder: Path) -> set[str]:
    images = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    return {str(i.SOPInstanceUID) for i in images} | {str(i.SeriesInstanceUID) for i in images}


def test_what_is_kept_is_kept_bit_for_bit(series: Path, tmp_path: Path) -> None:
    done = run(series, tmp_path / "out")
    before, after = stored(series), stored(tmp_path / "out")
    hu = np.where(before == FILLER, -1000, before - 1024.0).astype(np.float32)
    for number in range(5):
        outside = ~body_mask(hu[number], PIXEL)
        kept = done.reduced.metal[number] | (before[number] == FILLER) | outside
        kept |= np.full(kept.shape, number not in AFFECTED)
        assert digest(before[number][kept]) == digest(after[number][kept])
        if number in AFFECTED:
            assert (before[number] - after[number])[~kept].mean() == pytest.approx(100, abs=0.1)
    assert list(done.reduced.changed) == list(AFFECTED)
    for path in sorted(series.iterdir()):
        same = (
            pydicom.dcmread(path).PixelData
            == pydicom.dcmread(tmp_path / "out" / path.name)["PixelData"].value
        )
        assert same == (int(path.name[2:]) not in AFFECTED)


def test_the_metal_has_the_same_volume_before_and_after(series: Path, tmp_path: Path) -> None:
    done = run(series, tmp_path / "out")
    after = find_metal(files.read(tmp_path / "out"))
    assert done.reduced.metal.sum() > 20
    np.testing.assert_array_equal(after, done.reduced.metal)


def test_a_second_run_makes_the_same_instances_other_options_others(
    series: Path, tmp_path: Path
) -> None:
    extra = {"save_difference": True, "save_metal": True}
    for name in "ab":
        run(series, tmp_path / name / "out", **extra)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    seen = uids(tmp_path / "a" / "out")
    for number, (tool, options) in enumerate(
        [
            (DIMMER, {"metal_hu": 2600.0}),
            (replace(DIMMER, weights="w", sha256="00"), {}),
            (replace(DIMMER, weights="w", sha256="01"), {}),
            (replace(DIMMER, name="ELSE"), {}),
            (DIMMER, {"equipment": "replace"}),
            (DIMMER, {"private": "drop"}),
            (DIMMER, {"series_offset": 2000}),
        ]
    ):
        run(series, tmp_path / f"{number}", tool, **options)
        assert not seen & uids(tmp_path / f"{number}")
        seen |= uids(tmp_path / f"{number}")


@pytest.mark.parametrize("how", ["rle", "jpegls", "j2k"])
def test_compressed_output_is_the_same_instance_with_the_same_values(
    series: Path, tmp_path: Path, how: str
) -> None:
    run(series, tmp_path / "plain", save_difference=True)
    run(series, tmp_path / "small", save_difference=True, compress=how)
    for name in ("", "-difference"):
        plain, small = tmp_path / f"plain{name}", tmp_path / f"small{name}"
        np.testing.assert_array_equal(stored(plain), stored(small))
        assert uids(plain) == uids(small)
        image = pydicom.dcmread(small / "IM1")
        assert image.file_meta.TransferSyntaxUID.is_compressed
        assert "LossyImageCompression" not in image


FAILURES: dict[str, tuple[str, Tool, dict[str, object]]] = {
    "into the input": ("in/out", DIMMER, {}),
    "over the input": ("in", DIMMER, {"force": True}),
    "a file of the input": ("in/IM1", DIMMER, {"force": True}),
    "around the input": (".", DIMMER, {"force": True}),
    "another format": ("out.nii.gz", DIMMER, {}),
    "there already": ("there", DIMMER, {}),
    "its difference is there already": ("it", DIMMER, {"save_difference": True}),
    "a method that fails": ("out", replace(DIMMER, method=Breaks()), {}),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_is_one_line_and_leaves_everything_as_it_was(
    series: Path, tmp_path: Path, case: str
) -> None:
    for name in ("there", "it-difference"):
        save(ct_image(0, 0.0), tmp_path / name / "x")
    before, listing = hashes(tmp_path), sorted(tmp_path.rglob("*"))
    output, tool, options = FAILURES[case]
    with pytest.raises(InputError) as caught:
        run(series, tmp_path / output, tool, **options)
    assert "\n" not in str(caught.value)
    assert hashes(tmp_path) == before
    assert sorted(tmp_path.rglob("*")) == listing


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_disk_that_fills_up_or_an_interrupt_leaves_nothing(
    series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    real, calls = outputs._put, []

    def fails_at_the_second(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise error
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(outputs, "_put", fails_at_the_second)
    listing = sorted(tmp_path.rglob("*"))
    with pytest.raises((InputError, KeyboardInterrupt)):
        run(series, tmp_path / "new" / "out", save_difference=True)
    assert sorted(tmp_path.rglob("*")) == listing


@pytest.mark.parametrize("name", ["out", "out-difference"])
def test_its_own_series_is_refused_unless_told(
    series: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    run(series, tmp_path / "out", save_difference=True)
    with pytest.raises(InputError, match="unmetal made this series"):
        run(tmp_path / name, tmp_path / "again")
    again = run(tmp_path / name, tmp_path / "again", force=True)
    assert "again" in [flag.key for flag in again.reduced.warnings]
    assert "unmetal made this series already" in caplog.text
    made_by = pydicom.dcmread(tmp_path / "again" / "IM1").ContributingEquipmentSequence
    assert len(made_by) == 2


def test_a_simulated_series_may_be_reduced(series: Path, tmp_path: Path) -> None:
    volume = files.read(series)
    files.write(
        volume, tmp_path / "sim", derivation=files.Derivation("SIMULATED", kind="SIMULATED")
    )
    assert list(run(tmp_path / "sim", tmp_path / "out").reduced.changed) == list(AFFECTED)


def test_it_says_when_nothing_had_to_be_done(
    series: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run(series, tmp_path / "out", metal_hu=9000.0, save_difference=True, save_metal=True)
    assert "nothing had to be done" in caplog.text
    assert "there is no difference" in caplog.text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]
    assert digest(stored(series)) == digest(stored(tmp_path / "out"))
    said = pydicom.dcmread(tmp_path / "out" / "IM1").DerivationDescription
    assert "Nothing had to be done" in said


def test_values_that_do_not_fit_are_counted_and_warned_of(series: Path, tmp_path: Path) -> None:
    done = run(series, tmp_path / "out", replace(DIMMER, method=Glow()))
    clipped = done.reduced.clipped
    assert list(np.flatnonzero(clipped)) == list(AFFECTED)
    assert "clipped" in [flag.key for flag in done.reduced.warnings]
    at_the_end = stored(tmp_path / "out") == 32767
    np.testing.assert_array_equal(at_the_end.sum((1, 2)), clipped)
    assert done.reduced.volume.hu.max() == 32767 - 1024
    description = pydicom.dcmread(tmp_path / "out" / "IM1").SeriesDescription
    assert description.startswith("Thorax 2.5 [unmetal DIM - research] !")
    assert "clipped" in description


def test_a_series_description_keeps_warnings_before_a_long_title() -> None:
    done = files.Derivation("ADN", warnings=("kvp", "size", "flips"))
    assert series_description("Thorax", done) == "Thorax [unmetal ADN - research] !kvp,size,flips"
    long = series_description("x" * 64, done)
    assert len(long) == 64
    assert long.endswith(" [unmetal ADN - research] !kvp,size,flips")
    many = series_description(
        "x" * 64, replace(done, warnings=("saturated", "thickness", "far", "flips"))
    )
    assert many == f"{'x' * 25} [unmetal ADN - research] !saturated,+3"
    assert series_description("", replace(done, warnings=())) == "[unmetal ADN - research]"


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".npy", ".png"])
def test_other_formats_get_the_difference_and_the_metal_in_their_own(
    tmp_path: Path, suffix: str
) -> None:
    count = 1 if suffix == ".png" else 3
    hu = np.stack([phantom(number) for number in (1, 2, 3)[:count]]) - np.int16(1024)
    hu = np.where(hu < -1500, np.int16(-1000), hu)
    source = tmp_path / f"in{suffix}"
    if suffix == ".npy":
        np.save(source, hu)
    elif suffix == ".png":
        files.write(files.Volume(hu.astype(np.float32), (1, PIXEL, PIXEL)), source)
    else:
        image = sitk.GetImageFromArray(hu)
        image.SetSpacing((PIXEL, PIXEL, 5))
        sitk.WriteImage(image, str(source))
    settings = Settings(save_difference=True, save_metal=True, spacing=PIXEL)
    done = reduce_series(source, tmp_path / f"out{suffix}", settings, DIMMER)
    names = [f"out{suffix}", f"out-difference{suffix}", f"out-metal{suffix}"]
    before, after, change, metal = (values(tmp_path / name) for name in (source.name, *names))
    if suffix == ".png":
        change = change - 32768
    np.testing.assert_allclose(before + change, after, atol=1e-5 if suffix == ".npy" else 0)
    np.testing.assert_array_equal(metal.reshape(done.reduced.metal.shape) > 0, done.reduced.metal)
    if suffix not in {".npy", ".png"}:
        with pytest.raises(InputError, match="unmetal made this"):
            run(tmp_path / names[0], tmp_path / f"again{suffix}")


def values(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        return np.load(path).astype(np.float64)
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float64)


def test_a_series_without_frame_of_reference_says_that_metal_cannot_be_saved(
    series: Path, tmp_path: Path
) -> None:
    for path in series.iterdir():
        image = pydicom.dcmread(path)
        del image.FrameOfReferenceUID
        image.save_as(path)
    with pytest.raises(InputError, match="leave out --save-metal"):
        run(series, tmp_path / "out", save_metal=True)
    run(series, tmp_path / "out")


def test_a_missing_extra_is_named(
    series: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmetal.files.dicom.segmentation.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"--save-metal: highdicom is not .* '\.\[dicom\]'"):
        run(series, tmp_path / "out", save_metal=True)


@pytest.mark.parametrize("options", [{"metal_hu": float("nan")}, {"series_offset": -1}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Settings(**options)  # type: ignore[arg-type]


def test_a_warning_that_was_not_looked_for_makes_another_object() -> None:
    tool = load_tool(Settings("adn"))
    looked, skipped = (derivation(tool, Settings("adn", skip_flips=x)) for x in (False, True))
    assert looked.entropy != skipped.entropy
    assert derivation(DIMMER, Settings(skip_flips=True)) == derivation(DIMMER, Settings())


def test_weights_are_named_by_the_hash_in_their_card() -> None:
    tool = load_tool(Settings("adn"))
    assert tool.name == "ADN"
    assert tool.weights == "adn-syn"
    assert len(tool.sha256) == 64
    assert tool.sha256[:12] in derivation(tool, Settings("adn")).description
    assert load_tool(Settings("li")).sha256 == ""
