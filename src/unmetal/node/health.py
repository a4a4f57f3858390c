"""The status port: `/health` for people and load balancers, `/metrics` for Prometheus."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from unmetal.errors import InputError
from unmetal.node.queue.spool import Spool
from unmetal.software import version

LOOPBACK = "127.0.0.1"

disable_created_metrics()  # no time of creation beside every counter


@dataclass(frozen=True)
class Health:
    """The state of the node at one moment."""

    failing: list[str] = field(default_factory=list)
    """Why it does not do its work."""

    worrying: list[str] = field(default_factory=list)
    """What a person should look at, though it works."""

    series: Mapping[str, int] = field(default_factory=dict)
    """Number of series in each stage of the spool."""

    free_bytes: int = 0
    """On the spool's file system."""

    @property
    def status(self) -> str:
        """`failing`, `degraded` or `ok`."""
        return "failing" if self.failing else "degraded" if self.worrying else "ok"

    def json(self) -> str:
        """The answer of `/health`."""
        shown = {
            "status": self.status,
            "failing": self.failing,
            "worrying": self.worrying,
            "series": self.series,
            "free_bytes": self.free_bytes,
            "version": version(),
        }
        return json.dumps(shown) + "\n"


def free_bytes(spool: Spool) -> int:
    """Free space on the spool's file system."""
    return shutil.disk_usage(spool.folder).free


def resident_bytes(pid: int | None = None) -> float:
    """Memory of a process, this one by default; 0 where the system does not say (no /proc)."""
    path = Path(f"/proc/{pid or os.getpid()}/statm")
    return float(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if path.exists() else 0.0


class Metrics:
    """Counters since the node was started, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, namespace="unmetal", registry=self.registry)
        self.associations = counter("associations", "Associations, by how they ended.", ["end"])
        self.images_received = counter(
            "images_received", "Images received, by what became of them.", ["result"]
        )
        self.series = counter("series", "Series, by outcome.", ["outcome"])
        self.warnings = counter("warnings", "Warnings about series, by name.", ["warning"])
        self.reduce_seconds = counter("reduce_seconds", "Seconds spent reducing.")
        self.images_sent = counter(
            "images_sent", "Images that a destination confirmed.", ["destination"]
        )
        self.send_failures = counter(
            "send_failures", "Attempts to send that failed.", ["destination"]
        )


class Gauges(Collector):
    """The part of `/metrics` that is looked up when it is asked for."""

    def __init__(self, look: Callable[[], Health]) -> None:
        self.look = look

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by the registry."""
        health, gauge = self.look(), GaugeMetricFamily
        yield gauge("unmetal_up", "Whether the node does its work.", not health.failing)
        series = gauge("unmetal_series", "Series in the spool.", labels=["state"])
        for stage, count in health.series.items():
            series.add_metric([stage], count)
        yield series
        yield gauge("unmetal_free_bytes", "Free space for the spool.", health.free_bytes)
        yield gauge("unmetal_resident_bytes", "Memory of the node's process.", resident_bytes())


class StatusServer:
    """Serves both pages on a loopback port."""

    def __init__(self, port: int, look: Callable[[], Health], metrics: Metrics) -> None:
        """Listen; raises `InputError` if the port cannot be had."""
        metrics.registry.register(Gauges(look))
        handler = partial(_Handler, look, metrics.registry)
        try:
            self._server = ThreadingHTTPServer((LOOPBACK, port), handler)
        except OSError as error:
            reason = f"cannot listen there: {error.strerror}"
            raise InputError(f"--status-port {port}: {reason}") from error
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, name="unmetal-status", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = 5
    """Seconds without a request after which a connection is closed."""

    def __init__(
        self, look: Callable[[], Health], registry: CollectorRegistry, *connection: Any
    ) -> None:
        self.look, self.registry = look, registry
        super().__init__(*connection)  # handles the request

    def do_GET(self) -> None:
        """Answer."""
        status, content_type, content = 200, "text/plain", b""
        if self.path == "/health":
            health = self.look()
            status = 503 if health.failing else 200
            content_type, content = "application/json", health.json().encode()
        elif self.path == "/metrics":
            content_type, content = CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.registry)
        else:
            status, content = 404, b"there are /health and /metrics\n"
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Log no requests."""
