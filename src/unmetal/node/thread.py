"""Background threads that call a function again and again, and log its exceptions."""

from __future__ import annotations

import threading
from collections.abc import Callable

from unmetal.node.log import Log

ERROR_PAUSE_S = 5.0
"""Pause after a step that failed, on a full disk for example."""


class BackgroundLoop:
    """Calls `step`, which returns the seconds until it wants to be called again."""

    def __init__(self, name: str, step: Callable[[], float], log: Log) -> None:
        self.name, self.step, self.log = name, step, log
        self.failing = ""
        """Class of the exception that the last step raised; empty if it raised none."""
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"unmetal-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Call `step` at once."""
        self._wake.set()

    def stop(self) -> None:
        """Start no further step; one that runs goes on."""
        self._stopped.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, but no longer than this."""
        if self.is_alive:
            self._thread.join(seconds)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                pause = self.step()
                self.failing = ""
            except Exception as error:
                self.failing, pause = type(error).__name__, ERROR_PAUSE_S
                self.log("error", where=self.name, kind=self.failing, at=_last_line(error))
            if not self._stopped.is_set():
                self._wake.wait(max(pause, 0.0))


def _last_line(error: Exception) -> str:
    """File and line of the last frame of this package: a whole traceback may quote a header."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "unmetal" in code.co_filename:
            place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
