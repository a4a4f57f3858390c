"""Pictures a second of the viewer's page in a browser without a graphics card, and its memory.

200 slices of 512 x 512, the series of benchmarks/viewer.py, on both sides: what stands for the
corrected side is the original a second time, for a correction would take an hour and cost the page
the same. `python benchmarks/viewer_page.py [SLICES]`.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, Popen

from playwright.sync_api import Page, sync_playwright
from viewer import peak, write_series

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--ignore-gpu-blocklist", "--disable-background-networking"]  # fmt: skip

SECOND_SIDE = """
window.EventSource = class extends EventSource {
  addEventListener(type, listener) {
    super.addEventListener(type, (event) => {
      const state = JSON.parse(event.data);
      if (state.series.length) state.results = [{
        id: "copy", series: state.series[0].id, method: "li", title: "copy", changed: [], metal: [],
        has_error: false, warnings: [], objects: [], seconds: 0, exports: [] }];
      listener(new MessageEvent("state", { data: JSON.stringify(state) }));
    });
  }
};
"""

SOMETHING_IS_SEEN = """
() => [...document.querySelectorAll(".tile.original canvas")].some((one) =>
  one.getContext("2d").getImageData(0, 0, one.width, one.height).data.some(
    (value, at) => at % 4 < 3 && value > 0))
"""

FRAMES = """
async ([count, act]) => {
  const tile = document.querySelector(".tile.original");
  const box = tile.getBoundingClientRect();
  const at = { bubbles: true, cancelable: true, clientX: box.x + 99, clientY: box.y + 99 };
  const pointer = (name, more) => tile.dispatchEvent(
    new PointerEvent(name, { ...at, pointerId: 1, button: 2, ...more }));
  tile.setPointerCapture = () => {};
  if (act === "window") pointer("pointerdown");
  const begun = performance.now();
  for (let frame = 0; frame < count; frame++) {
    if (act === "window") pointer("pointermove", { clientX: at.clientX + frame });
    else {
      const deltaY = frame < count / 2 ? 100 : -100;
      tile.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY }));
    }
    await new Promise(requestAnimationFrame);
  }
  if (act === "window") pointer("pointerup");
  return (1000 * count) / (performance.now() - begun);
}
"""


def renderer_mib(name: str) -> float:
    """Peak memory of the browser's largest process of a kind, MiB."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"--type={name}".encode() in path.read_bytes():
                found.append(peak(int(path.parent.name)))
        except (OSError, StopIteration):
            continue
    return max(found, default=0.0)


def measure(page: Page, address: str, slices: int) -> None:
    """Print one table."""
    page.add_init_script(SECOND_SIDE)
    series: list[str] = []
    page.on("request", lambda one: "original.nii" in one.url and series.append(one.url))
    page.route("**/copy/corrected.nii", lambda route: route.continue_(url=series[0]))
    page.route("**/copy/metal.nii", lambda route: route.continue_(url=series[0]))
    begun = time.perf_counter()
    page.goto(address)
    while not page.evaluate(SOMETHING_IS_SEEN):
        page.wait_for_timeout(20)
    print(f"first picture after the page is asked for, s   {time.perf_counter() - begun:6.1f}")
    page.locator("#hu-corrected:has-text('HU')").wait_for(timeout=300_000)
    page.wait_for_timeout(3000)
    print(f"both volumes there, s                          {time.perf_counter() - begun:6.1f}")
    for name, key, act in (
        ("scroll, axial, both sides", "a", "scroll"),
        ("drag the window, axial, both sides", "a", "window"),
        ("scroll, difference over the right side", "d", "scroll"),
        ("scroll, all three planes, both sides", "m", "scroll"),
    ):
        page.locator("#stage").focus()
        page.keyboard.press(key)
        page.wait_for_timeout(1000)
        rates = [page.evaluate(FRAMES, [min(60, slices), act]) for _ in range(3)]
        print(f"{name + ', pictures a second':<47}{sorted(rates)[1]:6.1f}")
    for kind in ("renderer", "gpu-process"):
        print(f"{'browser, ' + kind + ', peak MiB':<47}{renderer_mib(kind):6.0f}")


def main() -> None:
    slices = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        write_series(Path(folder), slices)
        command = [sys.executable, "-m", "unmetal", "view", folder, "--no-browser"]
        with Popen(command, stdout=PIPE, text=True) as server:
            try:
                address = server.stdout.readline().strip() if server.stdout else ""
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(
                        executable_path=shutil.which("chromium"), args=FLAGS
                    )
                    size = {"width": 1280, "height": 720}
                    measure(browser.new_page(viewport=size), address, slices)
                    browser.close()
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
