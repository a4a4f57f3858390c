"""The rows of an evaluation: what they are called, which cases have them, and what they show."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from unmetal.evaluation.cases import Cases, Clean, Pairs, Real
from unmetal.evaluation.tables.rows import Row


@dataclass(frozen=True)
class Setting:
    """How clean slices become cases, and which slices count."""

    metal: str = "ti"
    """What the masks are made of."""

    seed: int = 0
    """Of the photon noise."""

    coarser: int = 1
    """Truth, input and ceiling are averaged over blocks of this many pixels squared. So are the
    results of methods that read the sinogram, which needs its own pixels; all others are given the
    averaged image, as they were when they learned at that resolution."""

    slices: int | None = None
    """Take this many, evenly spaced from the first to the last; None takes all."""

    protocol: str = "adn"
    """Who scans: a published protocol, or a machine whose settings are drawn for each case."""

    draws: int = 1
    """Cases for each slice, where machines and implants are drawn."""

    clinical: bool = False
    """Also measure what a clinician trusts; where lesions can be put in, everything is done twice,
    without a lesion and with."""

    def told(self) -> dict[str, Any]:
        """What rows must share to stand in one table: all but `slices`, and of what is newer than
        some tables only what differs from the default."""
        default = Setting()
        newer = {"protocol", "draws", "clinical"}
        held = {key: value for key, value in asdict(self).items() if key != "slices"}
        return {
            key: value
            for key, value in held.items()
            if key not in newer or value != getattr(default, key)
        }


def spread(total: int, count: int | None) -> list[int]:
    """`count` of the numbers from 0 to `total` - 1, evenly spaced, both ends among them."""
    if count is None or count >= total:
        return list(range(total))
    # In whole numbers: four of a hundred are then among ten of a hundred, whatever rounds how.
    gaps = max(count - 1, 1)
    return [(2 * i * (total - 1) + gaps) // (2 * gaps) for i in range(count)]


def caption(cases: Cases, setting: Setting, rows: Sequence[Row]) -> str:
    """What a table of rows of these cases shows, in words."""
    there, groups = (len({str(row[key]) for row in rows}) for key in ("slice", "group"))
    if isinstance(cases, Real):
        return (
            f"{there} slices with real metal of {len(cases.names)}, each through what `unmetal "
            "reduce` does. There is no truth: streak amplitude in flat tissue up to 40 mm from "
            "metal, root mean square change of the body beyond, and the area of what counts as "
            "metal afterwards. A slice painted over would do well: see docs/measures.md. "
            f"{interval(groups, 'patient')} Seconds: all of that."
        )
    if isinstance(cases, Pairs):
        return (
            f"{part(there, len(cases.names))} of a scanner with a known truth. Each goes through "
            "what `unmetal reduce` does, from the image alone; `METHOD, true mask` was told where "
            "the metal is. HU clipped to [-1000, 2000], inside the body, farther than 2 px from "
            "metal; PSNR for a range of 3000 HU, SSIM with a Gaussian window. "
            f"{interval(groups, 'slice')} Seconds: all of that, slice by slice."
        )
    intervals = interval(groups, cases.grouped_by)
    scored = (
        "window 0 to 0.5/cm, metal masked), RMSE below 0.5/cm only."
        f"{averaged(setting.coarser)} {intervals} Seconds per slice: "
        "`reduce` alone"
    )
    if setting.protocol != "adn":
        return (
            f"{part(there, len(cases.hu)).rstrip(',')}, each scanned {setting.draws} times by a "
            f"drawn `{setting.protocol}` machine with drawn implants at true size, from seed "
            f"{setting.seed}. The truth is what the same machine makes of the slice without metal "
            "and without noise, `ceiling` its scan without metal. Scored as the ADN paper does ("
            f"{scored}; sinogram, trace and mask are there before the clock starts."
        )
    return (
        f"{part(there, len(cases.hu))} x {len(cases.masks)} masks of {setting.metal}, simulated "
        "and scored as the ADN paper does (window 0 to 0.5/cm, metal masked), noise from seed "
        f"{setting.seed}.{averaged(setting.coarser)} `ceiling` is the reconstruction of the "
        f"sinogram without metal. RMSE below 0.5/cm only. {intervals} "
        "Seconds per slice: `reduce` alone, in batches of masks; sinogram, trace and mask are "
        "there before the clock starts."
    )


def interval(groups: int, unit: str) -> str:
    """What a caption says of means and intervals over so many patients or slices."""
    known = "" if unit == "patient" else " (whose patients are not known)"
    if groups == 1:
        return f"No intervals: one {unit} says nothing about others."
    few = "; of two they are wide, for two say next to nothing" if groups == 2 else ""
    return f"Means of {groups} {unit}s' means{known}, with 95 % t intervals{few}."


def averaged(factor: int) -> str:
    """What a caption says of a resolution that is not the protocol's own."""
    if factor == 1:
        return ""
    return (
        f" Truth, input, ceiling and results are averaged over {factor} x {factor} pixels; methods "
        "that do not read the sinogram were given the averaged image."
    )


def part(some: int, total: int) -> str:
    """`100 slices`, or `4 of 100 slices, evenly spaced`, of which that many were evaluated."""
    return f"{total} slices" if some == total else f"{some} of {total} slices, evenly spaced,"


def fingerprint(cases: Cases, setting: Setting) -> dict[str, Any]:
    """What tells these cases from others: how many slices and masks, and a hash of all of them.

    Pixel sizes count only where they decide what is simulated, so that tables of published
    protocols, which have a pixel size of their own, are what they were.
    """
    seen = hashlib.sha256()
    for field in fields(cases):
        value = getattr(cases, field.name)
        if isinstance(cases, Clean) and field.name == "spacing" and setting.protocol == "adn":
            continue
        held = value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
        seen.update(held)
    sizes = {"slices": len(cases.hu if isinstance(cases, Clean) else cases.names)}
    if isinstance(cases, Clean):
        sizes["masks"] = len(cases.masks)
    return {**sizes, "sha256": seen.hexdigest()}
