"""The log: one JSON object a line, without anything that tells whose images these are.

A series is named by the hash that its folder in the spool has. Error texts, which may quote a
header, stay in the spool.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO


class Log:
    """Writes events to a stream, from any thread."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        """stream: standard output by default."""
        self.stream = stream if stream is not None else sys.stdout
        self._lock = threading.Lock()

    def __call__(self, event: str, **facts: object) -> None:
        """Write one line. A log that cannot be written does not stop the work."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event} | facts, default=str)
        with self._lock, suppress(OSError, ValueError):
            print(line, file=self.stream, flush=True)


def silence_libraries(log: Log | None) -> None:
    """Drop this process's log records, warnings and tracebacks of threads: they quote headers.

    `log` is told of threads that died, by the kind of error.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")

    def on_dead_thread(ended: threading.ExceptHookArgs) -> None:
        if log is not None:
            log("error", where="thread", kind=ended.exc_type.__name__)

    threading.excepthook = on_dead_thread
