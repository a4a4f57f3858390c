"""A report as numbers and names: what the page shows and what its JSON holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from unmetal.files import header
from unmetal.metrics.strata import BANDS, TISSUES
from unmetal.physics.derive import METAL_HU
from unmetal.reduction.reduce_series import Done, Tool
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report.changes import LEVELS, Changes, SliceChanges, Tally
from unmetal.reduction.report.findings import checks, doubts
from unmetal.reduction.settings import Settings
from unmetal.software import versions

FORMAT = 1
"""Of the JSON; a reader that knows another number should not guess."""

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


UNSAID = ("method", "weights", "force")
"""Settings that are said otherwise, or are paths."""


@dataclass(frozen=True)
class Made:
    """How a result was made."""

    method: str
    """`ADN`."""
    seconds: float
    """Reading and writing included."""
    metal_hu: float = METAL_HU
    """HU with which metal was found."""
    weights: str = ""
    sha256: str = ""
    caution: str = ""
    """What the weights' card warns of."""
    device: str = "cpu"
    options: Mapping[str, Any] = field(default_factory=dict)
    derivation: str = ""
    """What the output's header says."""
    date: str = field(default_factory=lambda: datetime.now().astimezone().isoformat("T", "seconds"))


def made_by(done: Done, tool: Tool, settings: Settings) -> Made:
    """How a series was made by `reduction.reduce_series`, without paths, which can name people."""
    options = {name: its for name, its in asdict(settings).items() if name not in UNSAID}
    written = done.derivation
    return Made(
        method=tool.name,
        seconds=done.seconds,
        metal_hu=settings.metal_hu,
        weights=tool.weights,
        sha256=tool.sha256,
        caution=tool.caution,
        device=str(tool.device),
        options=options,
        derivation=f"{written.description} {written.outcome}".strip(),
    )


def record(
    reduced: Reduced, found: Changes, made: Made, *, identifiers: bool = False
) -> dict[str, Any]:
    """Everything that can be said without pictures; plain types that JSON knows."""
    source = reduced.source
    whole = {
        "format": FORMAT,
        "notice": NOTICE,
        "made": _made(made),
        "series": _series(reduced, found),
        "warnings": [*_of_weights(made), *warnings(reduced)],
        "checks": [check._asdict() for check in checks(found)],
        "doubts": doubts(found),
        "metal": _metal(found.slices, found.voxel_ml),
        "changes": numbers(found.tally, found.voxel_ml, compared=found.compared),
        "clipped": int(reduced.clipped.sum()),
        "slices": _slices(found, header.slice_labels(source)),
    }
    return whole | ({"identifiers": header.identifiers(source)} if identifiers else {})


def warnings(reduced: Reduced) -> list[dict[str, str]]:
    """What is odd about the source, and reasons to distrust the result."""
    listed = [{"key": "input", "said": said} for said in reduced.source.meta.get("warnings", ())]
    return listed + [{"key": one.key, "said": one.said} for one in reduced.warnings]


def _of_weights(made: Made) -> list[dict[str, str]]:
    return [{"key": "weights", "said": made.caution}] if made.caution else []


def _made(made: Made) -> dict[str, Any]:
    return {
        "method": made.method,
        "weights": made.weights,
        "sha256": made.sha256,
        "options": dict(made.options),
        "derivation": made.derivation,
        "device": made.device,
        "seconds": round(made.seconds, 1),
        "date": made.date,
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


def _slices(found: Changes, names: list[str]) -> list[dict[str, Any]]:
    """The numbers of the slices with metal, counted from 1."""
    return [
        {
            "slice": one.index + 1,
            "name": names[one.index],
            "metal": _metal((one,), found.voxel_ml),
            "clipped": one.clipped,
            "outside": one.outside,
            "disagreement_p99_hu": one.doubtful if found.compared else None,
            **numbers(one.tally, found.voxel_ml, compared=found.compared),
        }
        for one in found.slices
    ]


def numbers(tally: Tally, voxel_ml: float, *, compared: bool) -> dict[str, Any]:
    """A tally as shares, means and extremes: of all, by tissue and by distance from metal."""

    def rows(names: tuple[str, ...], values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        columns = {key: its for key, its in values.items() if key != "doubt" or compared}
        return {
            name: _row({key: its[place] for key, its in columns.items()}, voxel_ml)
            for place, name in enumerate(names)
        }

    cells = ("voxels", "changed", "visible", "total", "absolute", "fall", "rise", "doubt")
    by_band = {name: tally.by_band(name) for name in cells}
    whole = {name: its.sum() for name, its in by_band.items()}
    whole |= {"fall": by_band["fall"].min(), "rise": by_band["rise"].max()}
    every = {name: np.array([value]) for name, value in whole.items()}
    return {
        "all": rows(("all",), every)["all"],
        "by_tissue": rows(TISSUES, {name: tally.by_tissue(name) for name in cells}),
        "by_distance": rows(BANDS, by_band),
        "became_ml": (tally.became * voxel_ml).round(4).tolist(),
        "levels": {
            name: _levels(its, voxel_ml) for name, its in zip(LEVELS, tally.levels, strict=True)
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
    return row | ({"disagreement_hu": share("doubt", 2)} if "doubt" in sums else {})


def _levels(levels: np.ndarray, voxel_ml: float) -> dict[str, Any]:
    """Mean and standard deviation before and after in each band, float `[band 5]`."""
    return {name: _level(its, voxel_ml) for name, its in zip(BANDS, levels.tolist(), strict=True)}


def _level(its: list[float], voxel_ml: float) -> dict[str, Any]:
    """One row of `Tally.levels`: voxels, sum and sum of squares before, and after."""
    count, one, ones, two, twos = its
    if not count:
        names = ("before_hu", "before_sd", "after_hu", "after_sd")
        return {"ml": 0.0} | dict.fromkeys(names)
    means = one / count, two / count
    spreads = (
        math.sqrt(max(0.0, s / count - m**2)) for s, m in zip((ones, twos), means, strict=True)
    )
    before, after = spreads
    return {
        "ml": round(count * voxel_ml, 4),
        "before_hu": round(means[0], 2),
        "before_sd": round(before, 2),
        "after_hu": round(means[1], 2),
        "after_sd": round(after, 2),
    }
