"""Counters, and how Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping

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
