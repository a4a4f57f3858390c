"""A thread that does one step after the other, and survives those that fail."""

from __future__ import annotations

import threading
from collections.abc import Callable

from unmetal.node.log import Log

AFTER_ERROR_S = 5.0
"""Pause after a step that failed, on a full disk for example."""


class Loop:
    """`step` does something and returns the seconds until it wants to be called again."""

    def __init__(self, name: str, step: Callable[[], float], log: Log) -> None:
        self.name, self.step, self.log = name, step, log
        self.failing = ""
        """The kind of error that the last step ended with; empty where it went well."""
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"unmetal-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Call `step` now."""
        self._wake.set()

    def stop(self) -> None:
        """No further step; the one that runs goes on."""
        self._stopped.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for its end, but no longer than this."""
        if self.is_alive:
            self._thread.join(seconds)

    @property
    def stopped(self) -> bool:
        """Whether it was told to."""
        return self._stopped.is_set()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self.stopped:
            self._wake.clear()
            try:
                pause = self.step()
                self.failing = ""
            except Exception as error:
                self.failing, pause = type(error).__name__, AFTER_ERROR_S
                self.log("error", where=self.name, kind=self.failing, at=_place(error))
            if not self.stopped:
                self._wake.wait(max(pause, 0.0))


def _place(error: Exception) -> str:
    """The last line of ours that it went through: a traceback may quote a header, this cannot."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "unmetal" in code.co_filename:
            place = f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
