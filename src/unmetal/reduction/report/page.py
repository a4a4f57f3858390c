"""The report of a reduction: one HTML page that needs nothing else, and its numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from unmetal.errors import InputError, short_error
from unmetal.files.staging import refuse_overwrite, staged
from unmetal.metrics.strata import BANDS, TISSUES
from unmetal.reduction.reduce_series import Done
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report import panels
from unmetal.reduction.report.changes import LEVELS, VISIBLE_HU, Changes, SliceChanges, changes
from unmetal.reduction.report.charts import levels_chart
from unmetal.reduction.report.format import duration, hu, ml, number, percent
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

PAGE, NUMBERS = "report.html", "report.json"

TEMPLATES = files("unmetal.reduction.report") / "templates"


def check_report(folder: Path, source: Path, output: Path, *, force: bool) -> None:
    """Raise `InputError` where a report would replace something unasked, or lie in the way."""
    require_apart(folder, source, output)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a report needs a folder")
    for name in (PAGE, NUMBERS):
        refuse_overwrite(folder / name, folder=False, source=source, force=force)


def require_apart(folder: Path, source: Path, output: Path) -> None:
    """Raise `InputError` where a report would lie within the input or among the output's files."""
    inside = {folder.resolve(), *folder.resolve().parents}
    for place, what in ((source, "input"), (output, "output")):
        if place.resolve() in inside:
            raise InputError(f"{folder}: lies in the {what}: give the report another folder")


def write_report(
    done: Done, folder: Path, *, identifiers: bool = False, force: bool = False
) -> None:
    """Write `report.html` and `report.json` into a folder: both, or none.

    identifiers: also say whose images these are.
    Raises `InputError` for a folder that cannot be written, or holds a report, unless `force`.
    """
    page, numbers = render(done, identifiers=identifiers)
    if not force and any((folder / name).exists() for name in (PAGE, NUMBERS)):
        raise InputError(f"{folder}: holds a report: give another folder, or --force to replace it")
    write_texts(folder, {PAGE: page, NUMBERS: numbers}, force=force)


def write_texts(folder: Path, texts: dict[str, str], *, force: bool) -> None:
    """Write texts by file name, all or none; raises `InputError` for a full disk."""
    try:
        with staged(folder / next(iter(texts)), force=force) as target:
            for name, text in texts.items():
                target.with_name(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {short_error(error)}") from error


def render(done: Done, *, identifiers: bool = False) -> tuple[str, str]:
    """The page as HTML and its numbers as JSON."""
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
    context: dict[str, Any] = {
        "identifiers": None,
        **numbers,
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
    return template("page.html").render(context), json.dumps(numbers, indent=1, allow_nan=False)


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


@cache
def template(name: str) -> Template:
    """A template that escapes values, knows `css`, and raises for names that are not defined."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "hu": hu, "ml": ml, "percent": percent}
    environment.globals["css"] = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.from_string((TEMPLATES / name).read_text(encoding="utf-8"))


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
