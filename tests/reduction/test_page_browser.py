"""The page in a browser: windows, the viewer over it, keyboard, contrast, and no request."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ct_files import ct_image, save
from pydicom import dcmread

from unmetal import files
from unmetal.files import Derivation
from unmetal.files.dicom.inventory import CTSeries
from unmetal.methods.li import LI
from unmetal.reduction.batch.index import INDEX, write_index
from unmetal.reduction.batch.plan import DONE, FAILED, Item, Plan
from unmetal.reduction.metal_objects import MetalObject
from unmetal.reduction.metal_search import find_bodies
from unmetal.reduction.reduce_series import Done, Tool
from unmetal.reduction.reduce_volume import Reduced, reduce_volume
from unmetal.reduction.report.page import PAGE, write_report
from unmetal.reduction.settings import Settings

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
pytestmark = [
    pytest.mark.recipe,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH"),
]

SIDE = 96
OWN = (1500, -700)
"""Width and level, HU, that the header names."""


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> Reduced:
    """Four slices, a rod in two of them, and in the fourth a dense object that was left alone."""
    folder = tmp_path_factory.mktemp("series")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for i in range(4):
        hu = np.where(((rows - 48) / 32) ** 2 + ((columns - 48) / 40) ** 2 < 1, 40, -1000)
        hu = hu + rng.integers(-9, 10, hu.shape)
        hu[((rows - 48) ** 2 + (columns - 30) ** 2 < 9) & (i in (1, 2))] = 3000
        hu[60:63, 60:63] = 2600 if i == 3 else 40
        image = ct_image(
            i,
            2.5 * i,
            Rows=SIDE,
            Columns=SIDE,
            PixelSpacing=[4.0, 4.0],
            BitsStored=16,
            HighBit=15,
            WindowWidth=OWN[0],
            WindowCenter=OWN[1],
            PixelData=(hu + 1024).astype("<u2").tobytes(),
        )
        save(image, folder / f"IM{i}")
    source = files.read(folder, log_warnings=False)
    dense = source.hu > 2500
    metal = dense.copy()
    metal[3] = False
    change = np.round(60 * np.exp(-((rows - 48) ** 2) / 50 - ((columns - 30) ** 2) / 300))
    kept = dense | ~metal.any((1, 2))[:, None, None] | (source.hu < -500)
    result = np.where(kept, source.hu, source.hu - change)
    alone = MetalObject(
        1, (3,), (), (3.0, 61.0, 61.0), (7.5, 244.0, 244.0), 360.0, 2600.0, 12.0, 30.0,
        "left alone", "its streaks are weak",
    )  # fmt: skip
    return Reduced(
        source, source.with_hu(result), metal, find_bodies(source.hu, 4.0, dense),
        clipped=np.zeros(4, int), objects=(alone,), left_alone=dense & ~metal,
    )  # fmt: skip


@pytest.fixture(scope="module")
def page_file(reduced: Reduced, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_report(Done(reduced, Derivation(), Tool(LI(), "LI"), Settings(), 1.0), folder, force=True)
    return folder / PAGE


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, page_file: Path) -> Iterator[Any]:
    """The page, drawn; fails at its end where anything was asked for, or an error was logged."""
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda one: asked.append(one.url))
    page.goto(page_file.as_uri())
    page.wait_for_selector("body[data-drawn]")
    yield page
    assert wrong == []
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    page.close()


GRAY = """async ([name, row, column]) => {
  const at = document.querySelector(`#slice-2 image[data-values="${name}"]`), picture = new Image();
  picture.src = at.getAttribute("href");
  await picture.decode();
  const canvas = document.createElement("canvas"), [top, left, rows] = at.dataset.box.split(" ");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d"), times = picture.height / rows;
  context.drawImage(picture, 0, 0);
  const place = [column, row].map((its) => Math.floor((its + 0.5) * times));
  return context.getImageData(...place, 1, 1).data[0];
}"""
"""The grey value of a pixel of the frame in a picture of slice 2."""


def frame_corner(page: Any) -> tuple[int, int]:
    """Row and column of the slice at which the pictures begin."""
    return tuple(
        page.evaluate("""() => {
      const data = JSON.parse(document.getElementById("page-data").textContent);
      return [data.top, data.left];
    }""")
    )


@pytest.mark.parametrize(
    ("key", "window"),
    [("1", (400, 40)), ("2", (2000, 500)), ("3", (1500, -600)), ("5", (6000, 1000)), ("6", OWN)],
)
def test_keys_change_the_window_of_the_pictures(page, reduced, key, window):
    width, level = window
    page.keyboard.press(key)
    page.wait_for_selector(f"body[data-drawn='{width} {level}']")
    assert (
        page.locator(f"button[data-window='{int(key) - 1}']").first.get_attribute("aria-pressed")
        == "true"
    )
    top, left = frame_corner(page)
    # Inside a metal rod: magnified pictures are smoothed, and it is flat.
    for name, volume in (("before", reduced.source), ("after", reduced.volume)):
        value = float(volume.hu[1, 48, 30])
        expected = np.clip(255 * (value - level + width / 2) / width, 0, 255)
        gray = page.evaluate(GRAY, [name, 48 - top, 30 - left])
        assert gray == pytest.approx(expected, abs=1.5)


def test_the_window_of_the_header_is_the_first(page):
    assert page.locator(".window-now").first.text_content() == "W 1500 L −700 HU"
    assert page.locator("body").get_attribute("data-drawn") == "1500 -700"


def open_viewer(page: Any) -> Any:
    page.locator("#slice-2 button[data-open]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[data-slice='2']")
    return page.locator("#stage .after .plane")


def test_hu_under_the_pointer_are_those_of_both_series(page, reduced):
    box = open_viewer(page).bounding_box()
    top, left = frame_corner(page)
    rows, columns = page.evaluate(
        "() => { const d = JSON.parse(document.getElementById('page-data').textContent);"
        "return [d.rows, d.columns]; }"
    )
    for row, column in ((48, 36), (50, 24), (40, 60)):
        x = box["x"] + (column - left + 0.5) / columns * box["width"]
        y = box["y"] + (row - top + 0.5) / rows * box["height"]
        page.mouse.move(x, y)
        before, after = (int(its.hu[1, row, column]) for its in (reduced.source, reduced.volume))
        said = page.locator(".readout").text_content().replace("−", "-")
        assert said.startswith(
            f"row {row}, column {column}: before {before} HU, after {after} HU ("
        )


def test_the_right_button_drags_the_window_of_the_page_too(page):
    box = open_viewer(page).bounding_box()
    page.keyboard.press("1")
    page.wait_for_selector("body[data-drawn='400 40']")
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 90, box["y"] + 60)
    page.mouse.up(button="right")
    page.wait_for_selector("body[data-drawn='500 60']")


def test_the_viewer_scrolls_blinks_draws_a_curtain_and_closes(page):
    plane = open_viewer(page)
    over = plane.locator(".over")
    assert not over.is_visible()
    page.keyboard.down(" ")
    assert over.is_visible()
    assert page.locator(".pane.after .name").text_content() == "BEFORE"
    page.keyboard.up(" ")
    assert not over.is_visible()
    page.keyboard.press("c")
    box = plane.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    assert over.is_visible()
    assert over.evaluate("one => one.style.clipPath").startswith("inset(0px 75")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#viewer[data-slice='3']")
    page.mouse.wheel(0, 120)
    page.wait_for_selector("#viewer[data-slice='4']")
    assert "3 of 3 shown" in page.locator(".viewer-count").text_content()
    page.mouse.wheel(0, -120)
    page.wait_for_selector("#viewer[data-slice='3']")
    page.keyboard.press("d")
    assert plane.locator(".map").is_visible()
    assert "blue fell" in page.locator(".pane.after .name").text_content()
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()


def test_a_click_enlarges_and_buttons_do_what_keys_do(page):
    page.locator("#slice-3 .panel svg").first.click()
    page.wait_for_selector("#viewer[data-slice='3']")
    page.get_by_role("button", name="after alone").click()
    assert page.locator("#viewer").get_attribute("data-mode") == "one"
    page.locator("#viewer").get_by_role("button", name="bone").click()
    page.wait_for_selector("body[data-drawn='2000 500']")
    page.get_by_role("button", name="closer").click()
    transform = page.locator("#stage .after .plane").evaluate("one => one.style.transform")
    assert "scale(1.5)" in transform
    page.get_by_role("button", name="Close Esc").click()
    assert not page.locator("#viewer").is_visible()


def test_without_scripts_the_still_pictures_are_there(chromium, page_file):
    page = chromium.new_page(java_script_enabled=False)
    page.goto(page_file.as_uri())
    assert page.locator("#slice-2 image").count() == 3
    for button in page.locator("button").all():
        assert not button.is_visible()
    assert "window W 1,500 L −700 HU" in page.locator("body").inner_text()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewer", [False, True])
def test_axe_finds_nothing_serious(page, scheme, viewer):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.emulate_media(color_scheme=scheme)
    if viewer:
        open_viewer(page)
    found = axe.run(page).response["violations"]
    serious = [
        (one["id"], [node["html"][:120] for node in one["nodes"]][:4])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []


def test_axe_finds_nothing_serious_on_the_page_of_an_archive(chromium, page_file, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    names = ("0f8a9766-0001-aaaaaaaa", "0f8a9766-0002-bbbbbbbb")
    shutil.copytree(page_file.parent, tmp_path / names[0])
    series = [CTSeries(name, ("a",), "1.2.3", "512 x 512", own=False) for name in names]
    items = [Item(one, tmp_path, tmp_path / "o", status=DONE) for one in series]
    items[1] = replace(items[1], status=FAILED)
    write_index(Plan(tmp_path, tmp_path / "o", tuple(items), (), 0), tmp_path)
    for scheme in ("light", "dark"):
        page = chromium.new_page(color_scheme=scheme)
        page.goto((tmp_path / INDEX).as_uri())
        found = axe.run(page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in {"serious", "critical"}] == []
        page.get_by_role("link", name="Study 1, series 1").click()
        page.wait_for_selector("body[data-drawn]")
        page.close()


def test_a_series_without_metal_has_no_viewer_and_no_error(chromium, reduced, tmp_path):
    none = np.zeros(reduced.metal.shape, bool)
    nothing = replace(reduced, volume=reduced.source, metal=none, objects=(), left_alone=none)
    write_report(Done(nothing, Derivation(), Tool(LI(), "LI"), Settings(), 1.0), tmp_path / "r")
    page = chromium.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((tmp_path / "r" / PAGE).as_uri())
    page.keyboard.press("2")
    assert page.locator("dialog").count() == 0
    assert page.locator(".toolbar").count() == 0
    assert wrong == []
    page.close()


@pytest.mark.slow
def test_the_page_of_the_port_shows_what_the_files_hold(chromium, tmp_path):
    """Real slices, against what pydicom reads: window, letters, HU; and the size of the page."""
    folder = Path(__file__).parents[2] / "examples" / "chest_port"
    source = files.read(folder, log_warnings=False)
    some = replace(
        source,
        hu=source.hu[4:8],
        padding=None if source.padding is None else source.padding[4:8],
        source=replace(source.source, slices=source.source.slices[4:8]),
    )
    reduced = reduce_volume(some, LI())
    done = Done(reduced, Derivation("LI"), Tool(LI(), "LI"), Settings(method="li"), 1.0)
    write_report(done, tmp_path / "r")
    assert (tmp_path / "r" / PAGE).stat().st_size < 4 * 6e6 / 12
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto((tmp_path / "r" / PAGE).as_uri())
    page.wait_for_selector("body[data-drawn='1500 -700']")
    # The patient lies on the back, and the right side is at the left.
    letters = page.locator("#slice-2 svg").first.locator("g text").all_text_contents()
    assert letters == ["R", "L", "A", "P"]
    box = open_viewer(page).bounding_box()
    top, left = frame_corner(page)
    rows, columns = page.evaluate(
        "() => { const d = JSON.parse(document.getElementById('page-data').textContent);"
        "return [d.rows, d.columns]; }"
    )
    header = some.source.slices[1]
    image = dcmread(folder / header.name)
    for row, column in ((250, 250), (190, 330), (230, 400)):
        x = box["x"] + (column - left + 0.5) / columns * box["width"]
        y = box["y"] + (row - top + 0.5) / rows * box["height"]
        page.mouse.move(x, y)
        stored = image.pixel_array[row, column]
        hu = int(stored * image.RescaleSlope + image.RescaleIntercept)
        said = page.locator(".readout").text_content().replace("−", "-")
        assert said.startswith(f"row {row}, column {column}: before {hu} HU, after ")
    page.close()
