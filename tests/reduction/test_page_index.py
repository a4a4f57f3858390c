"""The page over an archive: what is urgent first, reasons in words, no hashes for names."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from unmetal.files.dicom.inventory import Aside, CTSeries
from unmetal.reduction.batch.index import URGENCY, write_index
from unmetal.reduction.batch.plan import DONE, FAILED, TO_DO, Item, Plan
from unmetal.reduction.report.numbers import FORMAT
from unmetal.reduction.report.page import NUMBERS, PAGE

STUDY = "0f8a9766"

KEPT = [{"name": "Every slice", "message": "no voxel changed", "state": "kept"}]


def numbers(**changes: Any) -> dict[str, Any]:
    """As far as the index reads them: a series in which one of three objects was corrected."""
    whole = {
        "format": FORMAT,
        "warnings": [],
        "checks": KEPT,
        "objects": [{"corrected_slices": [3, 4]}, *[{"corrected_slices": []}] * 2],
        "series": {
            "slices": 12, "changed": 2, "with_metal": 2, "acquisition": {"body_part": "CHEST"},
        },
        "metal": {"before_ml": 4.451},
        "changes": {"all": {"visible": 0.16}},
        "preview": "data:image/jpeg;base64,AAAA",
    }  # fmt: skip
    return whole | changes


def untouched(objects: int, with_metal: int = 0) -> dict[str, Any]:
    """A series in which nothing was changed."""
    return numbers(
        objects=[{"corrected_slices": []}] * objects,
        series={"slices": 9, "changed": 0, "with_metal": with_metal, "acquisition": {}},
        metal={"before_ml": 0.0},
        changes={"all": {"visible": None}},
    )


def index(folder: Path, *series: tuple[str, str, dict[str, Any] | None]) -> str:
    """The page over series of (folder name, status, numbers of the report)."""
    items = []
    for name, status, its in series:
        one = CTSeries(name, ("a", "b"), "1.2.3", "512 x 512, B30f", own=False)
        items.append(replace(Item(one, folder, folder / "out"), status=status))
        if its is not None:
            place = folder / "report" / name
            place.mkdir(parents=True)
            (place / PAGE).write_text("page")
            (place / NUMBERS).write_text(json.dumps(its))
    aside = (Aside("x/1", "a copy of y"), Aside("x/2", "a copy of z"))
    write_index(Plan(folder, folder / "out", tuple(items), aside, 0), folder / "report")
    return (folder / "report" / "index.html").read_text()


def warning(level: str, message: str) -> dict[str, str]:
    return {"key": "k", "level": level, "message": message}


def test_what_is_urgent_stands_first_and_the_untouched_last(tmp_path: Path) -> None:
    broken = [KEPT[0] | {"state": "broken"}]
    page = index(
        tmp_path,
        (f"{STUDY}-0001-aaaaaaaa", DONE, untouched(0) | {"warnings": [warning("unusual", "odd")]}),
        (f"{STUDY}-0002-bbbbbbbb", DONE, numbers()),
        (f"{STUDY}-0003-cccccccc", DONE, numbers(warnings=[warning("misread", "not CT")])),
        (f"{STUDY}-0004-dddddddd", FAILED, None),
        (f"{STUDY}-0005-eeeeeeee", DONE, numbers(checks=broken)),
        (f"{STUDY}-0006-ffffffff", DONE, numbers(changes={"all": {"visible": 0.5}})),
        (f"{STUDY}-0007-99999999", TO_DO, None),
    )
    order = [
        URGENCY[0], "series 5", "series 4", URGENCY[1], "series 3", URGENCY[2] + ":", "series 6",
        "series 2", URGENCY[3], "series 1",
    ]  # fmt: skip
    body = page[page.index("<h2>") :]
    places = []
    for part in order:
        places.append(body.find(part, places[-1] if places else 0))
    assert -1 not in places
    assert places == sorted(places)
    assert "series 7" not in page
    assert "2 objects" in page


def test_names_are_words_and_links_lead_to_the_reports(tmp_path: Path) -> None:
    page = index(
        tmp_path,
        (f"{STUDY}-0302-bbbbbbbb", DONE, numbers()),
        ("77777777-0003-cccccccc", DONE, untouched(2)),
    )
    assert f'<a href="{STUDY}-0302-bbbbbbbb/report.html">Study 1, series 302, chest</a>' in page
    assert ">Study 2, series 3</a>" in page
    shown = page.replace(f'href="{STUDY}-0302-bbbbbbbb', "").replace('href="77777777-0003', "")
    assert "bbbbbbbb" not in shown
    assert STUDY not in shown
    assert page.count('src="data:image/jpeg;base64,AAAA"') == 2


@pytest.mark.parametrize(
    ("its", "said"),
    [
        (untouched(0), "No metal inside the body."),
        (untouched(1), "1 dense object, which makes no more streaks than contrast medium does."),
        (untouched(5), "5 dense objects; none makes more streaks than contrast medium does."),
        (untouched(1, with_metal=2), "The metal makes no artifact that had to be changed."),
        (
            numbers(),
            "2 of 12 slices corrected: 1 object of 3, 4.5 ml of metal. "
            "16 % of the body there changed by more than 30 HU.",
        ),
    ],
)
def test_what_became_of_a_series_is_said_in_words(tmp_path: Path, its, said: str) -> None:
    assert f"<p>{said}</p>" in index(tmp_path, (f"{STUDY}-0001-aaaaaaaa", DONE, its))


def test_a_report_of_an_earlier_version_is_linked_and_not_read(tmp_path: Path) -> None:
    page = index(tmp_path, (f"{STUDY}-0001-aaaaaaaa", DONE, {"format": FORMAT - 1}))
    assert f'href="{STUDY}-0001-aaaaaaaa/report.html"' in page
    assert "an earlier version" in page
