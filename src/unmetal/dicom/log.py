"""The log: one JSON object a line, and nothing in it that says whose images they are.

A series is named by the hash that its folder in the spool has; texts that may quote a header stay
in the spool.
"""

from __future__ import annotations

import json
import sys
import threading
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
