"""The viewer's page in a browser: what it asked for and complained about, its pictures."""

from __future__ import annotations

import base64
import io
import re
import shutil
from typing import Any

import numpy as np
import pytest
from PIL import Image

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--ignore-gpu-blocklist", "--disable-background-networking"]  # fmt: skip

needs_browser = [
    pytest.mark.recipe,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH"),
]


class Tab:
    """A tab that shows a viewer's page, and a record of what went on in it."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int] = (1280, 720)) -> None:
        self.address = address
        self.page = browser.new_page(viewport=dict(zip(("width", "height"), size, strict=True)))
        self.page.set_default_timeout(20_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)

    def ready(self) -> Tab:
        """Wait until every slice is there."""
        self.page.locator(".tile.original .tile-place:has-text('/')").first.wait_for()
        self.page.locator("#hu-original:has-text('HU')").wait_for()
        self.page.locator("#stage").focus()
        return self

    def press(self, *keys: str) -> None:
        """Press keys one after the other, and let the page draw."""
        for key in keys:
            self.page.keyboard.press(key)
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))")

    def text(self, selector: str) -> str:
        """Text of the first element."""
        return str(self.page.locator(selector).first.text_content())

    def pressed(self, name: str) -> bool:
        """Whether a button of the toolbar is on; `name` as in `data-tool=brush`."""
        kind, _, value = name.partition("=")
        button = self.page.locator(f'#toolbar [{kind}="{value}"]')
        return bool(button.get_attribute("aria-pressed") == "true")

    def picture(self, tile: str) -> np.ndarray:
        """The pixels of a tile's canvas, without its labels: uint8 `[H W 3]`."""
        script = "canvas => canvas.toDataURL('image/png')"
        data = self.page.locator(f"{tile} canvas").first.evaluate(script)
        content = base64.b64decode(data.partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))

    def place(self, tile: str, column: float, row: float, shape: tuple[int, int]) -> tuple:
        """Where a pixel of a slice lies on the screen; square pixels, the whole slice shown."""
        box = self.page.locator(tile).first.bounding_box()
        scale = min(box["width"] / shape[1], box["height"] / shape[0])
        x = box["x"] + box["width"] / 2 + (column + 0.5 - shape[1] / 2) * scale
        y = box["y"] + box["height"] / 2 + (row + 0.5 - shape[0] / 2) * scale
        return x, y

    def drag(self, start: tuple, end: tuple, button: str = "left") -> None:
        """Press, move in some steps, let go."""
        self.page.mouse.move(*start)
        self.page.mouse.down(button=button)
        self.page.mouse.move(*end, steps=6)
        self.page.mouse.up(button=button)
        self.press()

    def correct(self, method: str, title: str, seconds: float = 240) -> None:
        """Ask for a correction by the panel, and wait until it is shown."""
        self.page.select_option("#method", method)
        self.page.click("#correct")
        self.shown(title, seconds)

    def choose(self, title: str) -> None:
        """Put a result on the right by its radio button."""
        label = self.page.locator(".result label").filter(has_text=re.compile(rf"^{title}\d"))
        label.click()
        self.shown(title)
        self.page.locator("#stage").focus()

    def shown(self, title: str, seconds: float = 240) -> None:
        """Wait until a result is on the right, with all its slices."""
        label = f".tile.corrected .tile-title.corrected:text-is('Corrected: {title}')"
        self.page.locator(label).first.wait_for(timeout=1000 * seconds)
        self.page.locator("#hu-corrected:has-text('HU')").wait_for()

    def check_quiet(self) -> None:
        """No request went elsewhere, and nothing was complained about."""
        assert [url for url in self.requests if not url.startswith((self.address, "data:"))] == []
        assert self.complaints == []
