"""How the node is, on a loopback port: `/health` for people and load balancers, `/metrics` for
Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

from unmetal.errors import InputError
from unmetal.node.queue.spool import Spool

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


HELP = {
    "unmetal_associations_total": "Associations, by how they ended.",
    "unmetal_images_received_total": "Images received, by what became of them.",
    "unmetal_series_total": "Series, by outcome.",
    "unmetal_warnings_total": "Warnings about series, by name.",
    "unmetal_reduce_seconds_total": "Seconds spent reducing.",
    "unmetal_images_sent_total": "Images that a destination confirmed.",
    "unmetal_send_failures_total": "Attempts to send that failed.",
}


Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What has happened since the node began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: defaultdict[tuple[str, Labels], float] = defaultdict(float)

    def add(self, name: str, value: float = 1, **labels: str) -> None:
        """Count something; `name` is one of `HELP`."""
        if name not in HELP:
            raise ValueError(f"no counter {name}")
        with self._lock:
            self._values[name, tuple(sorted(labels.items()))] += value

    def value(self, name: str, **labels: str) -> float:
        """What was counted."""
        with self._lock:
            return self._values[name, tuple(sorted(labels.items()))]

    def text(self, gauges: Mapping[str, tuple[str, Mapping[Labels, float]]]) -> str:
        """All counters, and gauges: name -> (help, labels -> value)."""
        with self._lock:
            held = dict(self._values)
        lines: list[str] = []
        for name, help_text in HELP.items():
            found: dict[Labels, float] = {
                labels: value for (one, labels), value in held.items() if one == name
            }
            lines += _family(name, help_text, "counter", found or {(): 0})
        for name, (help_text, values) in gauges.items():
            lines += _family(name, help_text, "gauge", values)
        return "\n".join(lines) + "\n"


def _family(name: str, help_text: str, kind: str, values: Mapping[Labels, float]) -> Iterable[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in sorted(values.items()):
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        yield f"{name}{{{inside}}} {value:.15g}" if inside else f"{name} {value:.15g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
