"""The numbers of a report: sums that add up, and promises that are counted, not assumed."""

from dataclasses import fields, replace

import numpy as np
import pytest

from unmetal.metrics.strata import BANDS, BANDS_MM, TISSUES
from unmetal.reduction.metal_search import find_bodies
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report.changes import ChangeStats, change_stats, changes
from unmetal.reduction.report.charts import levels_chart
from unmetal.reduction.report.findings import caveats, checks
from unmetal.reduction.report.format import counted as count_of
from unmetal.reduction.report.format import duration, hu, ml, mm3, number, percent, slices
from unmetal.reduction.report.numbers import stats_data
from unmetal.scan import Volume

PIXEL = 2.0
SIDE = 96


def body() -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return ((rows - 48) / 36) ** 2 + ((columns - 48) / 42) ** 2 < 1


def metal() -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[46:50, 46:50] = True
    return mask


def slice_() -> np.ndarray:
    """Soft tissue with fat on the left and metal in the middle, HU."""
    hu = np.where(body(), 40, -1000).astype(np.float32)
    hu[:, :40][body()[:, :40]] = -100
    hu[metal()] = 6000
    return hu


def series(change: np.ndarray, **others: object) -> Reduced:
    """Two slices without metal about one that `change` (HU `[H W]`) was added to."""
    plain = np.where(body(), 40, -1000).astype(np.float32)
    source = Volume(np.stack([plain, slice_(), plain]), (3.0, PIXEL, PIXEL))
    result = source.hu.copy()
    result[1] += change
    mask = np.zeros(result.shape, bool)
    mask[1] = metal()
    bodies = find_bodies(source.hu, PIXEL, mask)
    return replace(
        Reduced(source, source.with_hu(result), mask, bodies, clipped=np.zeros(3, int)),
        **others,  # type: ignore[arg-type]
    )


def counted(change: np.ndarray | float, where: np.ndarray | None = None) -> ChangeStats:
    inside = (body() if where is None else where) & ~metal()
    return change_stats(slice_(), slice_() + change, metal(), inside, PIXEL)


def test_every_voxel_is_counted_once():
    whole = counted(7.0)
    inside = int((body() & ~metal()).sum())
    assert whole.voxels.sum() == whole.changed.sum() == whole.transitions.sum() == inside
    assert whole.by_tissue("voxels").sum() == whole.by_band("voxels").sum() == inside
    assert np.array_equal(whole.transitions.sum(1), whole.by_tissue("voxels"))
    assert whole.total.sum() == pytest.approx(7 * inside)


def test_tallies_of_parts_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    change = rng.normal(0, 60, (SIDE, SIDE)).astype(np.float32)
    left = np.zeros((SIDE, SIDE), bool)
    left[:, :50] = True
    parts = counted(change, body() & left) + counted(change, body() & ~left)
    whole = counted(change)
    for field in fields(ChangeStats):
        if field.name != "levels":  # erosion is not the same at the cut
            assert np.allclose(getattr(parts, field.name), getattr(whole, field.name)), field.name


def test_a_change_is_found_in_its_band_and_its_tissue():
    rows, columns = np.mgrid[:SIDE, :SIDE]
    far = np.hypot(rows - 47.5, columns - 47.5) * PIXEL
    change = np.where((far > 25) & (far < 35) & (columns < 40), 50.0, 0.0)
    found = counted(change)
    place = (TISSUES.index("fat"), BANDS.index("20 to 40 mm"))
    assert found.changed[place] == (change[body()] != 0).sum() > 0
    assert found.changed.sum() == found.changed[place] == found.visible.sum()
    assert found.rise[place] == 50
    assert found.fall.min() == 0
    fat, soft = TISSUES.index("fat"), TISSUES.index("soft tissue")
    assert found.transitions[fat, soft] == 0
    assert counted(np.where(change, 100, 0)).transitions[fat, soft] == found.changed[place]


def test_bands_end_where_they_say():
    line = np.zeros((1, 100), bool)
    line[0, 0] = True
    flat = np.zeros((1, 100), np.float32)
    found = change_stats(flat, flat, line, ~line, 1.0)
    widths = np.diff([0, *BANDS_MM])
    assert list(found.by_band("voxels")) == [*widths, 100 - 1 - BANDS_MM[-1]]


def test_levels_tell_the_same_voxels_before_and_after():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 20, (SIDE, SIDE)).astype(np.float32)
    inside = body() & ~metal()
    found = change_stats(slice_() + 30 + noise, slice_() + noise, metal(), inside, PIXEL)
    count, one, ones, two, twos = np.moveaxis(found.levels, -1, 0)
    use = count > 20
    assert use[:, 2:].all()
    assert np.allclose((one - two)[use] / count[use], 30, atol=1e-3)
    assert np.allclose(two[1][use[1]] / count[1][use[1]], 40, atol=5)
    spread = np.sqrt(twos[use] / count[use] - (two[use] / count[use]) ** 2)
    assert np.allclose(spread, 20, atol=6)
    assert ones.min() >= 0


def test_slices_with_metal_are_counted_and_the_rest_is_watched():
    change = np.where(body() & ~metal(), 5.0, 0.0)
    found = changes(series(change))
    assert [one.index for one in found.slices] == [1]
    assert (found.count, found.elsewhere) == (3, 0)
    assert found.voxel_ml == pytest.approx(0.012)
    (one,) = found.slices
    assert one.metal == one.kept == one.found_again == metal().sum()
    assert one.outside == 0
    assert all(check.kept for check in checks(found))


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("metal", "The metal that was corrected"),
        ("outside", "Padding and outside the body"),
        ("elsewhere", "Slices without metal to correct"),
    ],
)
def test_a_broken_promise_is_found(where, name):
    broken = series(np.zeros((SIDE, SIDE), np.float32))
    hu = broken.volume.hu.copy()
    place = {"metal": (1, 47, 47), "outside": (1, 2, 2), "elsewhere": (2, 48, 48)}[where]
    hu[place] += 1
    found = changes(replace(broken, volume=broken.volume.with_hu(hu)))
    assert [check.name for check in checks(found) if not check.kept] == [name]


def test_no_tick_stands_over_a_dense_part_that_is_missing() -> None:
    """The strut of a stent beside what counts as metal: no voxel of that metal changes."""
    fallen = np.zeros((SIDE, SIDE), np.float32)
    fallen[60, 40:43] = -900
    stented = series(fallen)
    hu = stented.source.hu.copy()
    hu[1, 60, 40:43] = 1500
    result = hu.copy()
    result[1] += fallen
    source = stented.source.with_hu(hu)
    found = changes(replace(stented, source=source, volume=source.with_hu(result)))
    assert found.dense_lost == 3
    states = {check.name: check.state for check in checks(found)}
    assert states["Dense parts that do not count as metal"] == "look"
    assert states["The metal that was corrected"] == "kept"
    assert checks(found)[0].state == "look", "what is to be looked at stands first"
    assert any("(slice 2)" in check.message for check in checks(found))
    whole = checks(changes(series(np.zeros((SIDE, SIDE), np.float32))))
    assert {check.state for check in whole} == {"kept"}


def test_padding_must_not_change():
    padding = np.zeros((3, SIDE, SIDE), bool)
    padding[:, 40:44, 8:12] = True
    change = np.where(body() & ~metal(), 5.0, 0.0)
    reduced = series(change)
    padded = replace(reduced, source=replace(reduced.source, padding=padding))
    padded = replace(padded, volume=replace(reduced.volume, padding=padding))
    assert changes(padded).slices[0].outside == padding[1].sum()


def test_where_not_to_believe_it_is_said_with_stats_data():
    rows, columns = np.mgrid[:SIDE, :SIDE]
    near = np.hypot(rows - 47.5, columns - 47.5) * PIXEL < 9
    change = np.where(near & ~metal(), -60.0, 0.0)
    change[70, 20] = 500.0
    doubt = np.zeros((3, SIDE, SIDE), np.float32)
    doubt[1, 40:56, 40:56] = 90
    said = caveats(changes(series(change, disagreement=doubt)))
    assert said[0].startswith("Within 5 mm of metal")
    assert any("mirrored: most in slice 2" in one and "by 90 HU or more" in one for one in said)
    assert any("read as bone" in one for one in said)
    assert any("Farther than 40 mm" in one and "up to 500 HU" in one for one in said)
    nothing = series(np.zeros((SIDE, SIDE)), metal=np.zeros((3, SIDE, SIDE), bool))
    assert caveats(changes(nothing)) == []


def test_what_the_method_itself_doubts_is_said_and_counted() -> None:
    expected = np.zeros((3, SIDE, SIDE), np.float32)
    expected[1, 60:64, 40:45] = 150
    expected[1, 40:45, 60:64] = 60
    reduced = series(np.where(metal(), 0.0, -5.0), expected_error=expected)
    found = changes(reduced)
    assert found.slices[0].doubtful == 20
    (sentence,) = (one for one in caveats(found) if "itself expects" in one)
    assert "most in slice 2" in sentence
    assert not any(
        "itself expects" in one for one in caveats(changes(series(np.zeros((SIDE,) * 2))))
    )


def test_numbers_of_no_voxel_are_none_not_nan():
    found = counted(0.0, np.zeros((SIDE, SIDE), bool))
    table = stats_data(found, 0.01, compared=True)
    assert table["all"]["mean_hu"] is None
    assert table["levels"]["fat"]["0 to 5 mm"]["before_hu"] is None
    assert levels_chart(table["levels"]) is None


def test_the_chart_stays_inside_of_itself():
    chart = levels_chart(stats_data(counted(-25.0), 0.012, compared=False)["levels"])
    assert chart is not None
    for arrow in chart["arrows"]:
        left, right = sorted((arrow["before"], arrow["after"]))
        assert 80 < left <= right < chart["width"]
        assert 0 < arrow["y"] < chart["height"]
    assert {name for _, name in chart["references"]} == {"fat", "soft tissue"}


def test_numbers_are_written_as_people_do():
    assert number(-1279.4) == "−1,279"
    assert number(0.04, 1, signed=True) == "0.0"
    assert number(3.0, signed=True) == "+3"
    assert number(None) == number(float("nan")) == "–"
    assert hu(-3.26) == "−3.3 HU"
    assert (ml(0.0345), ml(0.708), ml(4.451), ml(10.4)) == (
        "0.035 ml",
        "0.71 ml",
        "4.5 ml",
        "10 ml",
    )
    assert (ml(0.0), ml(0.0002), ml(None)) == ("0 ml", "under 0.001 ml", "–")
    assert (mm3(5.6), mm3(0.42), mm3(4474)) == ("6 mm³", "0.4 mm³", "4.5 ml")
    assert (count_of(1, "slice"), count_of(1200, "slice")) == ("1 slice", "1,200 slices")
    assert ml(1912.99) == "1,913 ml"
    assert (percent(0.0004), percent(0.031), percent(0.27)) == ("under 0.1 %", "3.1 %", "27 %")
    assert slices([6]) == "slice 7"
    assert slices([4, 0, 2]) == "slices 1, 3 and 5"
    assert slices([1, 2, 3, 4, 8, 9]) == "slices 2 to 5, 9 and 10"
    assert slices(range(1, 12)) == "slices 2 to 12"
    assert slices([1, 2]) == "slices 2 and 3"
    assert (duration(3.21), duration(200), duration(3900)) == ("3.2 s", "3 min 20 s", "1 h 5 min")
