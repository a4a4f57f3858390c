"""How the node is, on a loopback port: `/health` for people and load balancers, `/metrics` for
Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

from unmetal.dicom.metrics import Labels, Metrics
from unmetal.dicom.spool import Spool
from unmetal.errors import InputError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Health:
    """One look at the node."""

    failing: list[str] = field(default_factory=list)
    """Why it does not do its work."""

    worrying: list[str] = field(default_factory=list)
    """What a person should look at; it works."""

    series: Mapping[str, int] = field(default_factory=dict)
    """In each state of the spool."""

    free_bytes: int = 0

    @property
    def status(self) -> str:
        """One word."""
        return "failing" if self.failing else "degraded" if self.worrying else "ok"

    def json(self) -> str:
        """What `/health` says."""
        shown = {
            "status": self.status,
            "failing": self.failing,
            "worrying": self.worrying,
            "series": self.series,
            "free_bytes": self.free_bytes,
            "version": version("unmetal"),
        }
        return json.dumps(shown) + "\n"


def free_bytes(spool: Spool) -> int:
    """On the spool's file system."""
    return shutil.disk_usage(spool.folder).free


def gauges(health: Health) -> dict[str, tuple[str, dict[Labels, float]]]:
    """The part of `/metrics` that is looked up when asked for."""
    states: dict[Labels, float] = {
        (("state", state),): float(count) for state, count in health.series.items()
    }
    return {
        "unmetal_up": ("Whether the node does its work.", {(): float(not health.failing)}),
        "unmetal_series": ("Series in the spool.", states),
        "unmetal_free_bytes": ("Free space for the spool.", {(): float(health.free_bytes)}),
        "unmetal_resident_bytes": ("Memory of the node's process.", {(): resident_bytes()}),
    }


def resident_bytes(pid: int | None = None) -> float:
    """Memory of a process, this one by default; 0 where the system does not say."""
    path = Path(f"/proc/{pid or os.getpid()}/statm")
    return float(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if path.exists() else 0.0


class StatusServer:
    """The HTTP port."""

    def __init__(self, port: int, look: Callable[[], Health], metrics: Metrics) -> None:
        """Listen; raises `InputError` if the port cannot be had."""
        pages: dict[str, Callable[[Health], tuple[str, str]]] = {
            "/health": lambda health: ("application/json", health.json()),
            "/metrics": lambda health: (
                "text/plain; version=0.0.4",
                metrics.text(gauges(health)),
            ),
        }

        class Handler(_Handler):
            def page(self) -> tuple[int, str, str]:
                shown = pages.get(self.path)
                if shown is None:
                    return 404, "text/plain", "there are /health and /metrics\n"
                health = look()
                ill = self.path == "/health" and health.failing
                return 503 if ill else 200, *shown(health)

        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        except OSError as error:
            raise InputError(
                f"--status-port {port}: cannot listen there: {error.strerror}"
            ) from error
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, name="unmetal-status", daemon=True
        ).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = 5
    """Seconds that a client may think."""

    def page(self) -> tuple[int, str, str]:
        """Status, content type and text."""
        return 404, "text/plain", ""

    def do_GET(self) -> None:
        """Answer."""
        status, kind, text = self.page()
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""
