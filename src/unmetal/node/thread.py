"""Background threads that call a function again and again, and log its exceptions."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from unmetal.node.log import Log

IDLE_S = 1.0
"""Pause after a look at the spool that found nothing; a person may move a dead letter back."""

ERROR_PAUSE_S = 5.0
"""Pause after a step that failed, on a full disk for example."""


class BackgroundLoop(threading.Thread):
    """Calls `step`, which returns the seconds until it wants to be called again."""

    def __init__(self, name: str, step: Callable[[], float], log: Log) -> None:
        super().__init__(name=name, daemon=True)
        self.step, self.log = step, log
        self.failing = ""
        """Class of the exception that the last step raised; empty if it raised none."""
        self._wake, self._ending = threading.Event(), threading.Event()

    def wake(self) -> None:
        """Call `step` at once."""
        self._wake.set()

    def stop(self) -> None:
        """Start no further step; one that runs goes on."""
        self._ending.set()
        self._wake.set()

    def run(self) -> None:
        """Called in the thread."""
        while not self._ending.is_set():
            self._wake.clear()
            try:
                pause = self.step()
                self.failing = ""
            except Exception as error:
                self.failing, pause = type(error).__name__, ERROR_PAUSE_S
                self.log("error", where=self.name, kind=self.failing, at=_last_line(error))
            if not self._ending.is_set():
                self._wake.wait(max(pause, 0.0))


def _last_line(error: Exception) -> str:
    """File and line of the last frame of this package: a whole traceback may quote a header."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "unmetal" in f.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
