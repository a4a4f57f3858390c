"""A small series with metal, and the viewer as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from ct_files import ct_image, save

SIDE = 96

SECRETS = ("Nobody", "secret-7", "Thorax")
"""What the headers of `ct_image` say about the patient."""


def write_phantom(folder: Path, slices: int = 4, **changes: Any) -> Path:
    """A body with two metal rods, 3 mm apart, as DICOM."""
    for number in range(1, slices + 1):
        rng = np.random.default_rng(number)
        rows, columns = (np.mgrid[:SIDE, :SIDE] - SIDE / 2) / (SIDE / 2)
        hu = np.where((rows / 0.6) ** 2 + (columns / 0.8) ** 2 < 1, 40.0, -1000.0)
        hu += rng.normal(0, 12, hu.shape)
        for column in (-0.4, 0.4):
            hu[rows**2 + (columns - column) ** 2 < 0.005] = 7000
        hu[(np.abs(rows) < 0.05) & (np.abs(columns) < 0.3)] -= 150
        stored = np.clip(hu + 1024, 0, 65535).round().astype("<u2")
        image = ct_image(
            number, 3.0 * number, Rows=SIDE, Columns=SIDE, PixelSpacing=[4.0, 4.0],
            BitsStored=16, HighBit=15, WindowWidth=1500, WindowCenter=-700,
            PixelData=stored.tobytes(), **changes,
        )  # fmt: skip
        save(image, folder / f"IM{number:03}")
    return folder


def until(what: Callable[[], Any], seconds: float = 240) -> Any:
    """Wait until it is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


class View:
    """`unmetal view` in a process."""

    def __init__(self, temporary: Path, *arguments: object) -> None:
        temporary.mkdir(exist_ok=True)
        self.temporary = temporary
        self.log = temporary / f"log-{time.monotonic_ns()}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "unmetal", "view", "--no-browser", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"},
                text=True,
                # As from a terminal: what runs these tests in the background ignores SIGINT, and
                # so would the server.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )

    def opened(self) -> View:
        """Wait for the address."""
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", self.address), self.errors()
        self.client = httpx.Client(base_url=self.address, timeout=240)
        return self

    def state(self) -> dict[str, Any]:
        """api/state."""
        return dict(self.client.get("api/state").raise_for_status().json())

    def reduce(self, series: str, method: str = "li", metal: str | None = None) -> dict[str, Any]:
        """Begin a job."""
        path = f"api/series/{series}/jobs"
        answer = self.client.post(path, json={"method": method, "metal": metal})
        return dict(answer.raise_for_status().json())

    def job(self, id: str) -> dict[str, Any]:
        """A job of the state."""
        return next(one for one in self.state()["jobs"] if one["id"] == id)

    def ended(self, id: str) -> dict[str, Any]:
        """Wait for the end of a job."""
        over = {"done", "failed", "cancelled"}
        return dict(until(lambda: job if (job := self.job(id))["status"] in over else None))

    def processes(self) -> set[int]:
        """Every process below the server."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, parent = stat.read_text().rpartition(") ")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
        found: set[int] = set()
        newest = {self.process.pid}
        while newest:
            newest = {pid for pid, parent in parents.items() if parent in newest} - found
            found |= newest
        return found

    def data(self) -> list[Path]:
        """Its folders of temporary data."""
        return [path for path in self.temporary.iterdir() if path.is_dir()]

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; the exit code, and how many seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(60)
        return code, time.monotonic() - begun

    def close(self) -> None:
        """End it, however it is."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        if hasattr(self, "client"):
            self.client.close()
