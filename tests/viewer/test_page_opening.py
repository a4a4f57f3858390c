"""Opening series in the page, axe-core, letters of turned series, and a server that goes away."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import BROWSER, FLAGS, Tab, needs_browser
from viewing import SIDE, View, write_phantom

from unmetal import files

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_browser

SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield one
        one.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    """A server with nothing open."""
    one = View(tmp_path_factory.mktemp("empty") / "temporary").opened()
    yield one
    one.close()


@pytest.fixture(scope="module")
def tab(browser: Any, server: View) -> Tab:
    return Tab(browser, server.address)


def findings(tab: Tab) -> list[str]:
    """What axe-core finds, of weight."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(tab.page).response["violations"]
    return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in SERIOUS]


def test_without_a_series_the_page_asks_for_one(tab: Tab) -> None:
    tab.page.locator("#open").wait_for()
    assert "RESEARCH USE ONLY" in tab.text("header")
    assert findings(tab) == []


def test_what_is_no_series_is_refused_in_a_line(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "letter.zip").write_bytes(b"no zip")
    tab.page.set_input_files("#open-file", tmp_path / "letter.zip")
    problem = tab.page.locator("#open .problem")
    problem.wait_for()
    assert str(problem.text_content()).startswith("Not opened: ")
    assert tab.page.locator("#open").is_visible()
    # The browser itself tells of the refusal; the page has nothing to add to that.
    assert [said for said in tab.complaints if "400" not in said] == []
    tab.complaints.clear()


def test_a_chosen_folder_is_sent_and_shown(tab: Tab, phantom: Path) -> None:
    tab.page.set_input_files("#open-folder", phantom)
    tab.page.locator("#open").wait_for(state="hidden")
    tab.ready()
    hu = files.read(phantom, log_warnings=False).hu
    assert tab.text("#slice-text") == "3 / 4"
    shown = hu[2, SIDE // 2, SIDE // 2]
    assert tab.text("#hu-original").replace("−", "-") == f"{shown:.0f} HU"
    # Nothing was corrected yet: what needs a result says so, or cannot be pressed.
    assert "No corrected series yet" in tab.text(".tile.corrected .tile-empty")
    assert tab.page.locator("[data-overlay=difference]").is_disabled()


def test_a_prone_patient_is_turned_into_radiological_convention(tab: Tab, tmp_path: Path) -> None:
    # Stored with rows to the patient's right and columns to the front: the server's picture, and
    # any viewer that shows files as they are stored, has the left side on the left.
    turned = write_phantom(tmp_path / "turned", ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])
    with zipfile.ZipFile(tmp_path / "turned.zip", "w") as archive:
        for path in turned.iterdir():
            archive.write(path, path.name)
    tab.press("f")
    tab.page.set_input_files("#open-file", tmp_path / "turned.zip")
    tab.page.locator("#series option").nth(1).wait_for(state="attached")
    tab.ready()
    letters = [tab.text(f".tile.original .letter.{edge}") for edge in ("left", "right", "top")]
    assert letters == ["R", "L", "A"]
    # The crosshair of a second series, too, begins in the middle.
    assert tab.text("#place") == f"crosshair {SIDE // 2 + 1}, {SIDE // 2 + 1}, slice 3"
    hu = files.read(turned, log_warnings=False).hu
    for column, row in ((20, 30), (70, 48)):
        tab.page.mouse.move(*tab.place(".tile.original", column, row, (SIDE, SIDE)))
        tab.press()
        place = f"pointer {SIDE - column}, {SIDE - row}, slice 3"
        assert tab.text("#place") == place
        stored = hu[2, SIDE - 1 - row, SIDE - 1 - column]
        assert tab.text("#hu-original").replace("−", "-") == f"{stored:.0f} HU"


def test_an_array_has_no_letters(tab: Tab, tmp_path: Path) -> None:
    values = np.arange(-1000, -760, 10)[:, None, None] + np.zeros((1, 16, 32))
    np.save(tmp_path / "array.npy", values.astype(np.int16))
    tab.press("f")
    tab.page.set_input_files("#open-file", tmp_path / "array.npy")
    tab.page.locator("#series option").nth(2).wait_for(state="attached")
    tab.page.locator(".tile.original .tile-place:has-text('/ 24')").first.wait_for()
    assert tab.text(".tile.original .letter.left") == ""
    tab.page.locator("#stage").focus()
    tab.press("Home", "ArrowDown", "ArrowDown")
    tab.page.mouse.move(5, 5)
    tab.press()
    assert tab.text("#hu-original") == "−980 HU"


def test_axe_finds_nothing_serious(tab: Tab) -> None:
    tab.page.select_option("#series", index=0)
    tab.ready()
    tab.correct("li", "LI")
    tab.press("d", "n")
    assert findings(tab) == []
    tab.press("u", "m", "b")
    assert findings(tab) == []
    tab.page.locator("#stage").focus()
    tab.press("Escape", "?")
    assert tab.page.locator("#help").is_visible()
    assert findings(tab) == []
    tab.press("Escape")
    assert not tab.page.locator("#help").is_visible()


def test_everything_is_reached_by_tab_with_a_visible_focus(tab: Tab) -> None:
    tab.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(80):
        tab.page.keyboard.press("Tab")
        script = """() => {
            const one = document.activeElement, style = getComputedStyle(one);
            const after = getComputedStyle(one, '::after');
            const seen = style.outlineStyle !== 'none' || after.borderTopStyle === 'solid';
            return [one.id || one.textContent, seen || one === document.body];
        }"""
        name, seen = tab.page.evaluate(script)
        assert seen, f"no focus is seen on {name}"
        reached.add(name)
    assert {"stage", "slice", "method", "correct", "help-button", "series"} <= reached


def test_it_fits_a_small_screen_and_a_tablet(tab: Tab) -> None:
    for width, height in ((1280, 720), (1024, 768), (768, 1024)):
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.press()
        wide = tab.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        box = tab.page.locator("#stage").bounding_box()
        assert box["width"] * box["height"] > 0.3 * width * height
    tab.page.set_viewport_size({"width": 1280, "height": 720})


def test_another_tab_shows_the_same(browser: Any, tab: Tab, server: View) -> None:
    second = Tab(browser, server.address).ready()
    second.shown("LI")
    second.check_quiet()
    second.page.close()
    tab.check_quiet()


def test_a_server_that_went_is_told(tab: Tab, server: View) -> None:
    assert not tab.page.locator("#gone").is_visible()
    server.end()
    tab.page.locator("#gone").wait_for()
    assert "The server has stopped" in tab.text("#gone")
    # What is there can still be looked at.
    tab.page.locator("#stage").focus()
    tab.press("Home", "ArrowDown")
    assert tab.text("#slice-text").startswith("2 /")
