"""The status port: `/health` for people and load balancers, `/metrics` for Prometheus."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from unmetal.errors import InputError
from unmetal.software import version

disable_created_metrics()  # no time of creation beside every counter


@dataclass(frozen=True)
class Health:
    """The state of the node at one moment."""

    failing: list[str]
    """Why it does not do its work."""

    worrying: list[str]
    """What a person should look at, though it works."""

    series: Mapping[str, int]
    """Number of series in each stage of the spool."""

    free_bytes: int
    """On the spool's file system."""

    @property
    def status(self) -> str:
        """`failing`, `degraded` or `ok`."""
        return "failing" if self.failing else "degraded" if self.worrying else "ok"

    def json(self) -> str:
        """The answer of `/health`."""
        return json.dumps({"status": self.status, **asdict(self), "version": version()}) + "\n"


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
        received = "Images received, by what became of them."
        self.images_received = counter("images_received", received, ["result"])
        self.series = counter("series", "Series, by outcome.", ["outcome"])
        self.warnings = counter("warnings", "Warnings about series, by name.", ["warning"])
        self.reduce_seconds = counter("reduce_seconds", "Seconds spent reducing.")
        sent = "Images that a destination confirmed."
        self.images_sent = counter("images_sent", sent, ["destination"])
        failed = "Attempts to send that failed."
        self.send_failures = counter("send_failures", failed, ["destination"])


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


class StatusServer(ThreadingHTTPServer):
    """Serves both pages on a loopback port."""

    def __init__(self, port: int, look: Callable[[], Health], metrics: Metrics) -> None:
        """Listen; raises `InputError` if the port cannot be had."""
        self.look, self.registry = look, metrics.registry
        self.registry.register(Gauges(look))
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            reason = f"cannot listen there: {error.strerror}"
            raise InputError(f"--status-port {port}: {reason}") from error
        threading.Thread(target=self.serve_forever, name="unmetal-status", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: StatusServer
    timeout = 5
    """Seconds without a request after which a connection is closed."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/health":
            health = self.server.look()
            status = 503 if health.failing else 200
            content_type, content = "application/json", health.json().encode()
        elif self.path == "/metrics":
            status, content_type = 200, CONTENT_TYPE_PLAIN_0_0_4
            content = generate_latest(self.server.registry)
        else:
            status, content_type = 404, "text/plain"
            content = b"there are /health and /metrics\n"
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Log no requests."""
