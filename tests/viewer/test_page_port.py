"""The page on real slices: a chest with a port, corrected by two methods."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from browsing import BROWSER, FLAGS, Tab, needs_browser
from PIL import Image
from pydicom import dcmread
from viewing import View

from unmetal import files

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = needs_browser

PORT = Path(__file__).parents[2] / "examples" / "chest_port"
SLICES = ("1-020.dcm", "1-021.dcm", "1-022.dcm")
SHAPE = (512, 512)
MIDDLE = 1
DEAD, LIMIT = 30, 300
"""HU of change that is not coloured, and at which the colour is full."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("port") / "series"
    folder.mkdir()
    for name in SLICES:
        shutil.copy(PORT / name, folder)
    return folder


@pytest.fixture(scope="module")
def original(folder: Path) -> np.ndarray:
    """HU `[slices H W]`, by the package's own reader."""
    return files.read(folder, log_warnings=False).hu


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    one = View(tmp_path_factory.mktemp("port_viewer") / "temporary", folder).opened()
    yield one
    one.close()


@pytest.fixture(scope="module")
def tab(server: View) -> Iterator[Tab]:
    """One tab for all tests, in which LI and then NMAR were run by its buttons."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        one = Tab(browser, server.address).ready()
        one.correct("li", "LI")
        one.correct("nmar", "NMAR")
        yield one
        browser.close()


@pytest.fixture
def page(tab: Tab) -> Tab:
    """The tab as it is after opening: side by side, axial, nothing over the pictures."""
    tab.page.mouse.move(5, 5)
    tab.page.locator("#stage").focus()
    tab.press("Escape", "a", "0", "6", "Home", "ArrowDown")
    for name in ("difference", "metal", "near"):
        if tab.pressed(f"data-overlay={name}"):
            tab.press({"difference": "d", "metal": "o", "near": "n"}[name])
    return tab


def corrected(server: View, title: str) -> np.ndarray:
    """HU `[slices H W]` of a result, as the server holds it."""
    id = next(one["id"] for one in server.state()["results"] if one["title"] == title)
    content = server.client.get(f"api/results/{id}/corrected.nii").content
    return np.asanyarray(nibabel.Nifti1Image.from_bytes(content).dataobj).T


def hu(text: str) -> float:
    return float(re.sub("[^-0-9.]", "", text.replace("−", "-")))


def test_the_letters_are_those_of_the_header(page: Tab, folder: Path) -> None:
    header = dcmread(folder / SLICES[0], stop_before_pixels=True)
    # Rows run to the patient's left and columns to the back: right is on the left, front on top.
    assert list(map(float, header.ImageOrientationPatient)) == [1, 0, 0, 0, 1, 0]
    for key, letters in {"a": "RLAP", "c": "RLHF", "s": "APHF"}.items():
        page.press(key)
        edges = (".left", ".right", ".top", ".bottom")
        assert "".join(page.text(f".tile.original .letter{edge}") for edge in edges) == letters
        assert "".join(page.text(f".tile.corrected .letter{edge}") for edge in edges) == letters


def test_windows_by_keys_by_numbers_and_by_dragging(page: Tab, original: np.ndarray) -> None:
    def shown() -> tuple[str, str]:
        return tuple(page.page.input_value(f"#window-{name}") for name in ("width", "level"))

    assert shown() == ("1500", "-700")  # the header's own, which the page begins with
    presets = {"1": ("400", "40"), "2": ("2000", "500"), "3": ("1500", "-600"),
               "4": ("80", "40"), "5": ("6000", "1000")}  # fmt: skip
    for key, values in presets.items():
        page.press(key)
        assert shown() == values
        assert page.pressed(f"data-preset={key}")
    page.press("1")
    start = page.place(".tile.original", 200, 200, SHAPE)
    page.drag(start, (start[0] + 40, start[1] + 25), button="right")
    width, level = map(float, shown())
    assert width > 400
    assert level > 40
    page.page.fill("#window-width", "1000")
    page.page.fill("#window-level", "0")
    page.page.keyboard.press("Enter")
    page.page.locator("#stage").focus()
    page.press("k")
    picture = page.picture(".tile.original")
    page.press("k")
    # Air outside the patient is black, and the port's metal white.
    assert original[MIDDLE, 5:20, 250:262].max() < -500
    x, y = page.place(".tile.original", 256, 12, SHAPE)
    box = page.page.locator(".tile.original").first.bounding_box()
    assert picture[int(y - box["y"]), int(x - box["x"])].max() < 10


def test_the_hu_under_the_pointer_on_both_sides(page: Tab, server: View, original) -> None:
    after = corrected(server, "NMAR")
    assert page.text("#slice-text") == f"{MIDDLE + 1} / {len(SLICES)}"
    for column, row in ((335, 180), (150, 260), (300, 330)):
        page.page.mouse.move(*page.place(".tile.original", column, row, SHAPE))
        page.press()
        assert page.text("#place") == f"pointer {column + 1}, {row + 1}, slice {MIDDLE + 1}"
        before, now = original[MIDDLE, row, column], after[MIDDLE, row, column]
        assert hu(page.text("#hu-original")) == before
        assert hu(page.text("#hu-corrected")) == now
        assert hu(page.text("#hu-difference")) == now - before


def test_a_pointer_that_rests_reads_the_slice_that_comes_under_it(page: Tab, original) -> None:
    page.page.mouse.move(*page.place(".tile.original", 300, 330, SHAPE))
    for turn, index in ((100, MIDDLE + 1), (-100, MIDDLE)):
        page.page.mouse.wheel(0, turn)
        page.page.locator(f"#slice-text:text('{index + 1} /')").wait_for()
        page.press()
        assert page.text("#place") == f"pointer 301, 331, slice {index + 1}"
        assert hu(page.text("#hu-original")) == original[index, 330, 300]


@pytest.mark.parametrize(("key", "shape"), [("r", "rectangle"), ("e", "ellipse")])
def test_a_region_is_measured_as_numpy_does(page: Tab, server: View, original, key, shape) -> None:
    page.press(key)
    start = page.place(".tile.original", 300, 200, SHAPE)
    end = page.place(".tile.original", 340, 240, SHAPE)
    with page.page.expect_request("**/measure") as asked:
        page.drag(start, end)
    given = asked.value.post_data_json
    assert (given["shape"], given["plane"], given["index"]) == (shape, "axial", MIDDLE)
    (left, top), (right, bottom) = given["from"], given["to"]
    assert (left, top) == pytest.approx((300, 200), abs=0.6)
    rows, columns = np.mgrid[:512, :512]
    if shape == "rectangle":
        inside = (columns >= left) & (columns <= right) & (rows >= top) & (rows <= bottom)
    else:
        across = (columns - (left + right) / 2) / ((right - left) / 2)
        along = (rows - (top + bottom) / 2) / ((bottom - top) / 2)
        inside = across**2 + along**2 <= 1
    roi = page.page.locator(".roi.chosen")
    table = roi.locator("tbody tr")
    table.first.wait_for()
    after = corrected(server, "NMAR")
    wanted = {"Original": original, "NMAR": after, "NMAR − original": after - original}
    seen = [row.locator("th, td").all_text_contents() for row in table.all()]
    assert {row[0] for row in seen} >= {"LI", "LI − original", *wanted}
    for name, *numbers in seen:
        if name in wanted:
            values = wanted[name][MIDDLE][inside].astype(float)
            expected = [values.mean(), values.std(), values.min(), values.max()]
            assert list(map(hu, numbers)) == pytest.approx(expected, abs=0.5001)
    assert f"{inside.sum()} pixels" in str(roi.text_content())


def test_a_profile_is_drawn(page: Tab) -> None:
    page.press("i")
    page.drag(
        page.place(".tile.original", 250, 180, SHAPE), page.place(".tile.original", 400, 180, SHAPE)
    )
    chart = page.page.locator(".roi.chosen svg.profile")
    chart.wait_for()
    assert chart.locator("polyline").count() == 2
    assert "mm" in str(chart.text_content())


def test_a_region_by_keys_alone(page: Tab) -> None:
    before = page.page.locator(".roi").count()
    page.press("r", "Enter", *["Shift+ArrowRight"] * 6, *["Shift+ArrowDown"] * 4, "Enter")
    page.page.locator(".roi.chosen tbody tr").first.wait_for()
    assert page.page.locator(".roi").count() == before + 1
    assert "35 pixels" in page.text(".roi.chosen")  # 7 columns of 5 rows


def test_the_curtain_hangs_between_both_and_blink_shows_one(page: Tab) -> None:
    page.page.locator(".roi button:text('Remove')").evaluate_all(
        "all => all.forEach(one => one.click())"
    )
    page.press("k", "1", "Space")
    assert page.text(".tile-title.corrected") == "Corrected: NMAR"
    assert not page.page.locator(".tile-title.original").is_visible()
    after = page.picture(".tile.blink")
    page.press("Space")
    assert page.page.locator(".tile-title.original").is_visible()
    before = page.picture(".tile.blink")
    assert np.abs(after.astype(int) - before).max() > 50
    page.press("u")
    both = page.picture(".tile.curtain")
    middle = both.shape[1] // 2
    assert (both[:, : middle - 12] == before[:, : middle - 12]).all()
    assert (both[:, middle + 12 :] == after[:, middle + 12 :]).all()
    # Keys move it, and so does the pointer.
    page.press("ArrowRight", "ArrowRight")
    assert page.page.input_value("#curtain") == "540"
    box = page.page.locator(".tile.curtain").bounding_box()
    y = box["y"] + 100
    page.drag((box["x"] + 0.54 * box["width"], y), (box["x"] + 0.25 * box["width"], y))
    assert abs(int(page.page.input_value("#curtain")) - 250) <= 5
    page.press("l", "k")


def test_the_difference_has_a_dead_zone_and_a_legend(page: Tab, server: View, original) -> None:
    page.page.uncheck("#smooth")
    page.page.locator("#stage").focus()
    page.press("d", "k", "5")
    legend = page.text("#difference-legend")
    assert f"−{LIMIT}" in legend
    assert f"+{LIMIT}" in legend
    assert f"±{DEAD} not coloured" in legend
    picture = page.picture(".tile.corrected").astype(int)
    page.press("k")
    page.page.check("#smooth")
    change = (corrected(server, "NMAR") - original)[MIDDLE]
    # Which pixel of the slice each pixel of the canvas shows; those near an edge are left out.
    height, width = picture.shape[:2]
    scale = min(width / 512, height / 512)
    column = (np.arange(width) + 0.5 - width / 2) / scale + 256
    row = (np.arange(height) + 0.5 - height / 2) / scale + 256
    safe = np.ix_(*(within(value) for value in (row, column)))
    shown = change[np.ix_(*(value[within(value)].astype(int) for value in (row, column)))]
    red, _, blue = np.moveaxis(picture[safe], -1, 0)
    assert (red == blue)[np.abs(shown) < DEAD].mean() > 0.99
    assert (red > blue)[shown >= DEAD + 1].mean() > 0.99
    assert (red < blue)[shown <= -DEAD - 1].mean() > 0.99
    assert (shown >= DEAD + 1).sum() > 500
    assert (shown <= -DEAD - 1).sum() > 500


def within(value: np.ndarray) -> np.ndarray:
    """Pixels of the canvas whose middle lies well inside a pixel of the slice."""
    return (value >= 0) & (value < 512) & (np.abs(value % 1 - 0.5) < 0.4)


def test_the_metal_is_outlined_and_the_zone_near_it_marked(page: Tab) -> None:
    plain = page.picture(".tile.original").astype(int)
    page.press("o")
    page.page.wait_for_timeout(300)
    outlined = page.picture(".tile.original").astype(int)
    red = (outlined[..., 0] - outlined[..., 1] > 80) & (plain[..., 0] - plain[..., 1] < 20)
    assert red.sum() > 30
    page.press("n")
    page.page.wait_for_timeout(300)
    assert "within 5 mm" in page.text("#legend")
    marked = page.picture(".tile.corrected").astype(int)
    assert ((marked[..., 2] - marked[..., 1]) > 15).sum() > 200


def test_what_was_decided_leads_to_its_slice(page: Tab) -> None:
    page.press("Home")
    assert page.page.locator("#findings-panel .warning").count() >= 1
    decision = page.page.locator("#findings-panel li.corrected").first
    assert "streaks are" in str(decision.text_content())
    decision.locator("button").click()
    assert page.text("#slice-text") == "2 / 3"


def test_results_stay_side_by_side(page: Tab) -> None:
    page.choose("LI")
    page.press("p")
    page.shown("NMAR")


def test_a_painted_mask_is_what_is_corrected(page: Tab, server: View, original) -> None:
    page.press("b")
    assert "NMAR" in page.text("#mask-panel")
    # A piece of the spine, which no method takes for metal by itself.
    page.drag(
        page.place(".tile.original", 250, 300, SHAPE), page.place(".tile.original", 262, 300, SHAPE)
    )
    page.press("Control+z")
    assert page.page.locator("#mask-undo").is_disabled()
    page.drag(
        page.place(".tile.original", 250, 300, SHAPE), page.place(".tile.original", 262, 300, SHAPE)
    )
    page.page.select_option("#method", "li")
    page.page.click("#mask-correct")
    page.shown("LI, metal edited")
    page.page.click("#mask-discard")
    id = next(one["id"] for one in server.state()["results"] if "edited" in one["title"])
    content = server.client.get(f"api/results/{id}/metal.nii").content
    metal = np.asanyarray(nibabel.Nifti1Image.from_bytes(content).dataobj).T
    assert (metal[MIDDLE, 300, 250:263] == 1).all()
    assert not (metal[0, 300, 250:263] == 1).any()
    page.choose("NMAR")


def test_the_exported_series_is_valid_dicom(page: Tab, tmp_path: Path) -> None:
    page.choose("NMAR")
    with page.page.expect_download() as saved:
        page.page.click("a:text('Corrected series (DICOM, zip)')")
    saved.value.save_as(tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path / "out")
    images = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(images) == len(SLICES)
    assert all("MAR" in dcmread(path).ImageType for path in images)
    if shutil.which("dciodvfy"):
        known = errors(PORT / SLICES[0])
        assert all(errors(path) <= known for path in images)
    with page.page.expect_download() as saved:
        page.page.click("a:text('Picture of this slice')")
    saved.value.save_as(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        assert picture.width > 1000


def errors(path: Path) -> set[str]:
    """What dciodvfy calls an error in an image."""
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return {line for line in done.stderr.splitlines() if line.startswith("Error")}


def test_a_running_job_is_cancelled(page: Tab, server: View) -> None:
    results = len(server.state()["results"])
    page.page.select_option("#method", "nmar")
    page.page.click("#correct")
    page.page.locator("#jobs .running").wait_for()
    page.page.click("#jobs button:text('Cancel')")
    page.page.locator("#jobs .cancelled").wait_for()
    assert "nothing was kept" in page.text("#jobs .cancelled")
    page.page.click("#jobs button:text('Dismiss')")
    assert page.page.locator("#jobs li").count() == 0
    assert len(server.state()["results"]) == results


def test_it_was_quiet(tab: Tab) -> None:
    tab.check_quiet()
    assert len(tab.requests) > 10
