"""The two pictures of the viewer in the README: python recipes/viewer_screenshots.py

The chest with a port, corrected by NMAR: both sides with the difference in HU, and the curtain with
a profile through what was corrected. Needs chromium; the picture is of the page as it is built.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from subprocess import PIPE, Popen
from sys import executable

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SERIES = ROOT / "examples" / "chest_port"
SIZE = {"width": 1280, "height": 720}

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--ignore-gpu-blocklist", "--disable-background-networking"]  # fmt: skip


@contextmanager
def viewer(path: Path) -> Iterator[str]:
    """The address of a server that has a series open."""
    command = [executable, "-m", "unmetal", "view", str(path), "--no-browser"]
    with Popen(command, stdout=PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip() if server.stdout else ""
        finally:
            server.terminate()


def correct(page: Page, method: str) -> None:
    """Run a method by the page's own button, and wait for its result."""
    page.select_option("#method", method)
    page.click("#correct")
    page.locator(".result input:checked").wait_for(timeout=1_200_000)
    page.locator("#hu-corrected:has-text('HU')").wait_for()


def zoom_to_port(page: Page) -> None:
    """Twice as large, about the port."""
    box = page.locator(".tile").first.bounding_box()
    page.mouse.move(box["x"] + 0.62 * box["width"], box["y"] + 0.33 * box["height"])
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(800)
    picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
    picture.save(IMAGES / f"{name}.webp", quality=82, method=6)


def take(page: Page) -> None:
    """Both pictures."""
    page.locator("#stage").focus()
    for key in ("1", "k", "d"):
        page.keyboard.press(key)
    save(page, "viewer_difference")
    for key in ("d", "u"):
        page.keyboard.press(key)
    zoom_to_port(page)
    page.keyboard.press("i")
    box = page.locator(".tile").first.bounding_box()
    page.mouse.move(box["x"] + 0.30 * box["width"], box["y"] + 0.50 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.80 * box["width"], box["y"] + 0.46 * box["height"], steps=5)
    page.mouse.up()
    page.locator(".profile").wait_for()
    page.locator("#measure-panel").scroll_into_view_if_needed()
    page.locator("aside").evaluate(
        "one => one.scrollTo(0, document.getElementById('measure-panel').offsetTop - 130)"
    )
    save(page, "viewer_curtain")


def main(method: str = "nmar") -> None:
    with viewer(SERIES) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        page.locator("#hu-original:has-text('HU')").wait_for()
        if not page.locator(".result").count():
            correct(page, method)
        take(page)
        browser.close()


if __name__ == "__main__":
    main()
