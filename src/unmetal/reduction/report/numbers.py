"""The data of a report: what the page shows and the JSON holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import numpy as np

from unmetal.files import header
from unmetal.metrics.strata import BANDS, TISSUES
from unmetal.reduction.metal_objects import MetalObject
from unmetal.reduction.quality_flag import QualityFlag
from unmetal.reduction.reduce_series import Done
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report.changes import LEVELS, Changes, ChangeStats, SliceChanges, join
from unmetal.reduction.report.findings import caveats, checks
from unmetal.reduction.settings import Settings
from unmetal.software import versions

FORMAT = 2
"""Version of the JSON's layout."""

NOTICE = (
    "RESEARCH USE ONLY. Not a medical device, not validated for diagnosis or treatment. "
    "Always read the original series beside this one."
)

ACQUISITION = (
    "manufacturer",
    "model",
    "kvp",
    "kernel",
    "exposure",
    "slice_thickness",
    "reconstruction_diameter",
    "body_part",
    "patient_position",
    "format",
    "stored_as",
)
"""What of `Volume.meta` a report shows: how the series was made, nothing that says whose it is."""

LEFT_OUT = ("method", "weights", "force")
"""Settings that a report gives elsewhere, or not at all because they can be paths."""

SEARCH = ("metal_hu", "min_metal_mm2")
"""Settings of the search for metal, which is not made where the metal is given."""


def report_data(done: Done, found: Changes, *, identifiers: bool = False) -> dict[str, Any]:
    """All of the report but its pictures, in types that JSON knows."""
    reduced = done.reduced
    whole = {
        "format": FORMAT,
        "notice": NOTICE,
        "run": _run(done),
        "series": _series(reduced, found),
        "warnings": leveled_warnings(done),
        "checks": [check._asdict() for check in checks(found)],
        "caveats": caveats(found),
        "metal": _metal(found.slices, found.voxel_ml),
        "objects": [object_row(one) for one in found.objects],
        "changes": stats_data(found.stats, found.voxel_ml, compared=found.compared),
        "clipped": int(reduced.clipped.sum()),
        "slices": _slices(found, header.slice_labels(reduced.source)),
    }
    return whole | ({"identifiers": header.identifiers(reduced.source)} if identifiers else {})


def flags(reduced: Reduced) -> list[QualityFlag]:
    """Warnings of the reader about the source, then flags of the reduction."""
    of_reader = reduced.source.meta.get("warnings", ())
    return [*(QualityFlag("input", message) for message in of_reader), *reduced.warnings]


def leveled_warnings(done: Done) -> list[dict[str, str]]:
    """All warnings about a result: what a reader would misread first, then what is unusual."""
    of_weights = [QualityFlag("weights", done.tool.caution)] if done.tool.caution else []
    ordered = sorted([*of_weights, *flags(done.reduced)], key=lambda one: one.level != "misread")
    return [{"key": one.key, "level": one.level, "message": one.message} for one in ordered]


def _run(done: Done) -> dict[str, Any]:
    """How the result was computed, without paths, which can name people."""
    tool, written = done.tool, done.derivation
    left_out = (*LEFT_OUT, *(SEARCH if written.metal_given else ()))
    return {
        "method": tool.name,
        "weights": tool.weights,
        "sha256": tool.sha256,
        "options": {
            # Of a reduction: a node's settings have more, its folders among them.
            one.name: getattr(done.settings, one.name)
            for one in fields(Settings)
            if one.name not in left_out
        },
        "derivation": f"{written.description} {written.outcome}".strip(),
        "device": str(tool.device),
        "seconds": round(done.seconds, 1),
        "date": datetime.now().astimezone().isoformat("T", "seconds"),
        "versions": versions(),
    }


def _series(reduced: Reduced, found: Changes) -> dict[str, Any]:
    source = reduced.source
    count, rows, columns = source.hu.shape
    return {
        "slices": count,
        "with_metal": len(found.slices),
        "changed": len(reduced.changed),
        "rows": rows,
        "columns": columns,
        "spacing_mm": [round(mm, 4) for mm in source.spacing],
        "spacing_known": source.spacing_known,
        "acquisition": {name: source.meta[name] for name in ACQUISITION if name in source.meta},
    }


def _metal(slices: tuple[SliceChanges, ...], voxel_ml: float) -> dict[str, float | int]:
    before, after, again = (
        sum(getattr(one, name) for one in slices) for name in ("metal", "kept", "found_again")
    )
    return {
        "before_voxels": before,
        "after_voxels": after,
        "before_ml": before * voxel_ml,
        "after_ml": after * voxel_ml,
        "found_again_ml": again * voxel_ml,
    }


def object_row(one: MetalObject) -> dict[str, Any]:
    """An object and its decision; slices from 1."""
    return {
        "object": one.number,
        "decision": one.decision,
        "reason": one.reason,
        "slices": [place + 1 for place in one.slices],
        "corrected_slices": [place + 1 for place in one.corrected_slices],
        "center_px": [round(x, 1) for x in one.center],
        "center_mm": [round(x, 1) for x in one.center_mm],
        "volume_mm3": round(one.volume_mm3, 1),
        "peak_hu": round(one.peak_hu),
        "streak_hu": round(one.strength_hu, 1),
        "bound_hu": round(one.bound_hu, 1),
    }


def _slices(found: Changes, names: list[str]) -> list[dict[str, Any]]:
    """The numbers of the slices with metal, counted from 1."""
    return [
        {
            "slice": one.index + 1,
            "name": names[one.index],
            "metal": _metal((one,), found.voxel_ml),
            "clipped": one.clipped,
            "outside": one.outside,
            "disagreement_p99_hu": one.disagreement_p99 if found.compared else None,
            "doubtful_ml": _doubtful(one, found),
            **stats_data(one.stats, found.voxel_ml, compared=found.compared),
        }
        for one in found.slices
    ]


def _doubtful(one: SliceChanges, found: Changes) -> float | None:
    """ml whose expected error is large; None for a method that expects none."""
    return round(one.doubtful * found.voxel_ml, 4) if found.error_expected else None


def stats_data(stats: ChangeStats, voxel_ml: float, *, compared: bool) -> dict[str, Any]:
    """Statistics as shares, means and extremes: of all, by tissue and by distance from metal."""

    def rows(names: tuple[str, ...], values: dict[str, np.ndarray]) -> dict[str, Any]:
        return {
            name: _row({key: its[place] for key, its in values.items()}, voxel_ml)
            for place, name in enumerate(names)
        }

    cells = ["voxels", "changed", "visible", "total", "absolute", "fall", "rise"]
    cells += ["disagreement"] * compared
    by_band = {name: stats.by_band(name) for name in cells}
    return {
        "all": _row({name: join(its, name) for name, its in by_band.items()}, voxel_ml),
        "by_tissue": rows(TISSUES, {name: stats.by_tissue(name) for name in cells}),
        "by_distance": rows(BANDS, by_band),
        "transitions_ml": (stats.transitions * voxel_ml).round(4).tolist(),
        "levels": {
            tissue: {band: _level(its[place], voxel_ml) for place, band in enumerate(BANDS)}
            for tissue, its in zip(LEVELS, stats.levels.tolist(), strict=True)
        },
    }


def _row(sums: Mapping[str, Any], voxel_ml: float) -> dict[str, Any]:
    count = int(sums["voxels"])

    def share(name: str, digits: int) -> float | None:
        return round(float(sums[name]) / count, digits) if count else None

    row = {
        "ml": round(count * voxel_ml, 4),
        "changed": share("changed", 5),
        "visible": share("visible", 5),
        "mean_hu": share("total", 2),
        "mean_amount_hu": share("absolute", 2),
        "fall_hu": round(float(sums["fall"]), 2) if count else None,
        "rise_hu": round(float(sums["rise"]), 2) if count else None,
    }
    return row | ({"disagreement_hu": share("disagreement", 2)} if "disagreement" in sums else {})


def _level(its: list[float], voxel_ml: float) -> dict[str, Any]:
    """One row of `ChangeStats.levels`: mean and standard deviation before and after."""
    count, one, ones, two, twos = its
    if not count:
        return {"ml": 0.0} | dict.fromkeys(("before_hu", "before_sd", "after_hu", "after_sd"))
    level = {"ml": round(count * voxel_ml, 4)}
    for when, total, squares in (("before", one, ones), ("after", two, twos)):
        mean = total / count
        level[f"{when}_hu"] = round(mean, 2)
        level[f"{when}_sd"] = round(math.sqrt(max(0.0, squares / count - mean**2)), 2)
    return level
