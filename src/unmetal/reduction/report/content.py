"""What a report shows: the numbers, and the pictures and sentences drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from unmetal.metrics.strata import BANDS, TISSUES
from unmetal.reduction.reduce_series import Done
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import LEVELS, VISIBLE_HU, Changes, SliceChanges, changes
from unmetal.reduction.report.charts import levels_chart
from unmetal.reduction.report.format import duration, hu
from unmetal.reduction.report.numbers import report_data
from unmetal.reduction.report.object_rows import WIDTH_MM, object_rows
from unmetal.reduction.report.scripted import scripted
from unmetal.reduction.report.shown_slices import (
    MOST,
    choose_slices,
    choose_untouched,
    close_up,
    common_style,
    mean_abs_change,
    preview,
    slice_pictures,
    strip,
    untouched_pictures,
    visible_share,
)
from unmetal.reduction.settings import Settings


def page_content(done: Done, *, identifiers: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The numbers of a report, in types that JSON knows, and what else its page shows, by name."""
    reduced = done.reduced
    found = changes(reduced, done.settings.metal_hu, metal_given=done.derivation.metal_given)
    large = choose_slices(found)
    untouched = choose_untouched(reduced, MOST - len(large))
    shown = [*(one.index for one in large), *untouched]
    style = common_style(reduced, large, untouched)
    pictures = [slice_pictures(reduced, one, style) for one in large]
    front = None
    if large:
        most = max(large, key=visible_share)
        front = pictures[large.index(most)] | {"close": close_up(reduced, most, style)}
    pictures += [untouched_pictures(reduced, place, style) for place in untouched]
    pictures.sort(key=lambda one: one["number"])
    numbers = report_data(done, found, identifiers=identifiers)
    numbers["preview"] = preview(reduced, _most_telling(reduced, large, untouched), style)
    drawn: dict[str, Any] = {
        **_summary(numbers, found),
        **scripted(reduced, pictures, style),
        "compared": found.compared,
        "front": front,
        "pictures": pictures,
        "untouched": bool(untouched),
        "object_rows": object_rows(reduced, shown),
        "object_mm": WIDTH_MM,
        "corrected": sum(bool(one.corrected_slices) for one in found.objects),
        "strip": strip(reduced, found, set(shown), style.window),
        "peak": max(map(mean_abs_change, found.slices), default=None),
        "chart": levels_chart(numbers["changes"]["levels"]),
        "style": style,
        "difference_stops": panels.css_stops(panels.difference_palette(style)),
        "doubt": doubt_shown(found),
        "doubt_stops": panels.css_stops(panels.doubt_palette()),
        "doubt_hu": panels.DOUBT_HU,
        "ring_mm": panels.RING_MM,
        "visible_hu": VISIBLE_HU,
        "tissues": TISSUES,
        "bands": BANDS,
        "levels": LEVELS,
    }
    return numbers, drawn


def _most_telling(reduced: Reduced, large: list[SliceChanges], untouched: list[int]) -> int:
    """Index of the slice that stands for the series: what changed most, or else the middle."""
    if large:
        return max(large, key=visible_share).index
    return untouched[0] if untouched else len(reduced.source.hu) // 2


def _summary(numbers: dict[str, Any], found: Changes) -> dict[str, Any]:
    """What the head of the page says."""
    states = {check["state"] for check in numbers["checks"]}
    levels = [one["level"] for one in numbers["warnings"]]
    return {
        "subtitle": _subtitle(numbers),
        "details": _details(numbers),
        "broken": "broken" in states,
        "look": "look" in states,
        "misread": levels.count("misread"),
        "unusual": levels.count("unusual"),
        "changed": bool(numbers["changes"]["all"]["changed"]),
    }


def doubt_shown(found: Changes) -> str:
    """What the fourth picture of a row shows; empty where there is none."""
    if found.compared:
        return "disagreement"
    return "expected error" if found.error_expected else ""


def _subtitle(numbers: dict[str, Any]) -> list[str]:
    """Method, series and date, a few words each."""
    run, series = numbers["run"], numbers["series"]
    known, weights = series["acquisition"], run["weights"]
    apart, _, pixel = series["spacing_mm"]
    count = "1 slice" if series["slices"] == 1 else f"{series['slices']} slices"
    between = "" if series["slices"] == 1 else f", {apart:.3g} mm apart"
    parts = [
        run["method"] + (f" with {weights}" if weights.upper() not in {"", run["method"]} else ""),
        f"{count} of {series['columns']} × {series['rows']}",
        f"{pixel:.3g} mm pixels{between}{'' if series['spacing_known'] else ' (assumed)'}",
        " ".join(str(known[name]) for name in ("manufacturer", "model") if name in known),
        f"{known['kvp']:g} kVp" if "kvp" in known else "",
        f"kernel {known['kernel']}" if "kernel" in known else "",
        run["date"][:10],
    ]
    return [part for part in parts if part]


def _options(options: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of the threshold for metal and of all settings off their default."""
    usual = asdict(Settings())
    for name, value in options.items():
        if name == "metal_hu":
            yield "metal above", hu(value)
        elif value != usual.get(name):
            yield name.replace("_", " "), "yes" if value is True else str(value)


UNITS = {
    "kvp": ("tube voltage", "kV"),
    "exposure": ("exposure", "mAs"),
    "slice_thickness": ("slice thickness", "mm"),
    "reconstruction_diameter": ("field of view", "mm"),
}
"""Name in the report and unit of what is a number, by its name in `Volume.meta`."""


def _acquired(acquisition: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """How the series was made, in words and units."""
    for name, value in acquisition.items():
        known, unit = UNITS.get(name, (name.replace("_", " "), ""))
        yield known, f"{value:g} {unit}" if unit and isinstance(value, (int, float)) else str(value)


def _details(numbers: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and texts of "How it was made"."""
    run, acquisition = numbers["run"], numbers["series"]["acquisition"]
    named = [
        ("method", run["method"]),
        ("weights", run["weights"]),
        ("sha256 of the weights", run["sha256"]),
        *_options(run["options"]),
        ("what the output's header says", run["derivation"]),
        ("computed on", run["device"]),
        ("time", duration(run["seconds"])),
        ("date", run["date"].replace("T", " ")),
        ("versions", ", ".join(f"{name} {its}" for name, its in run["versions"].items())),
        *_acquired(acquisition),
    ]
    return [(name, text) for name, text in named if text not in {"", "None"}]
