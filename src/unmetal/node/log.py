"""The log: one JSON object a line, and nothing in it that says whose images they are.

A series is named by the hash that its folder in the spool has; texts that may quote a header stay
in the spool.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from datetime import UTC, datetime
from typing import IO


class Log:
    """Where events go."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.stream = stream if stream is not None else sys.stdout
        self._lock = threading.Lock()

    def __call__(self, event: str, **facts: object) -> None:
        """Write one line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event} | facts, default=str)
        with self._lock:
            try:
                print(line, file=self.stream, flush=True)
            except (OSError, ValueError):
                return  # A log that cannot be written must not stop the work.


def keep_quiet(log: Log | None) -> None:
    """Let nothing else of this process speak: what libraries warn of, or a thread dies of, quotes
    headers. `log` is told of threads that died."""
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")

    def died(ended: threading.ExceptHookArgs) -> None:
        if log is not None:
            log("error", where="thread", kind=ended.exc_type.__name__)

    threading.excepthook = died
