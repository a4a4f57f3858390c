"""The options of an evaluation, which slices they choose, and what they say about a table."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from unmetal.errors import InputError
from unmetal.evaluation.cases import Cases, Clean, Pairs, Real
from unmetal.evaluation.tables.rows import Row


@dataclass(frozen=True)
class EvalConfig:
    """The options of `unmetal evaluate`: how slices become cases, and which slices count."""

    metal: Literal["ti", "fe", "cu", "au", "cocr", "amalgam"] = "ti"
    """What the masks of the protocol adn are made of."""

    seed: int = 0
    """Of the photon noise, and of what is drawn."""

    downsample: int = 1
    """Average truth, input, ceiling and results over blocks of this many pixels squared before
    scoring. Methods that do not read the sinogram are given the averaged image: for networks that
    learned at a part of the resolution."""

    slices: int | None = None
    """Only this many slices, evenly spaced from the first to the last; all otherwise."""

    protocol: Literal["adn", "clinical", "cbct"] = "adn"
    """Who scans clean slices: the paper's scanner, or a machine whose settings and implants are
    drawn for each slice. These need an index.csv with spacing_mm."""

    draws: int = 1
    """How often each slice is scanned by a drawn machine."""

    clinical: bool = False
    """Also the measures that a clinician trusts: of pairs, and of the protocols clinical and cbct,
    where everything is done twice, without a lesion and with."""

    def __post_init__(self) -> None:
        for name in ("downsample", "slices", "draws"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise InputError(f"--{name} {number}: give at least 1")

    @property
    def merge_key(self) -> dict[str, Any]:
        """The options that two sets of rows must share to stand in one table: all but `slices`."""
        return {name: value for name, value in asdict(self).items() if name != "slices"}


def evenly_spaced(total: int, count: int | None) -> list[int]:
    """`count` of the numbers from 0 to `total` - 1, evenly spaced, both ends among them."""
    if count is None or count >= total:
        return list(range(total))
    # In whole numbers: four of a hundred are then among ten of a hundred, whatever rounds how.
    gaps = max(count - 1, 1)
    return [(2 * i * (total - 1) + gaps) // (2 * gaps) for i in range(count)]


def fingerprint(cases: Cases) -> dict[str, Any]:
    """What tells these cases from others: how many slices and masks, and a hash of all of them."""
    digest = hashlib.sha256()
    for field in fields(cases):
        value = getattr(cases, field.name)
        digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    masks = {"masks": len(cases.masks)} if isinstance(cases, Clean) else {}
    return {"slices": len(cases.names), **masks, "sha256": digest.hexdigest()}


def caption(cases: Cases, config: EvalConfig, rows: Sequence[Row]) -> str:
    """What a table of rows of these cases shows, in words."""
    slices, groups = (len({str(row[key]) for row in rows}) for key in ("slice", "group"))
    total, factor = len(cases.names), config.downsample
    some = f"{total} slices" if slices == total else f"{slices} of {total} slices, evenly spaced,"
    if isinstance(cases, Real):
        return (
            f"{slices} slices with real metal of {total}, each through what `unmetal "
            "reduce` does. There is no truth: streak amplitude in flat tissue up to 40 mm from "
            "metal, root mean square change of the body beyond, and the area of what counts as "
            "metal afterwards. A slice painted over would do well: see docs/measures.md. "
            f"{_intervals(groups, 'patient')} Seconds: all of that."
        )
    if isinstance(cases, Pairs):
        return (
            f"{some} of a scanner with a known truth. Each goes through "
            "what `unmetal reduce` does, from the image alone; `METHOD, true mask` was told where "
            "the metal is. HU clipped to [-1000, 2000], inside the body, farther than 2 px from "
            "metal; PSNR for a range of 3000 HU, SSIM with a Gaussian window. "
            f"{_intervals(groups, 'slice')} Seconds: all of that, slice by slice."
        )
    intervals = _intervals(groups, cases.grouped_by)
    averaged = (
        f" Truth, input, ceiling and results are averaged over {factor} x {factor} pixels; methods "
        "that do not read the sinogram were given the averaged image."
    ) * (factor > 1)
    if config.protocol != "adn":
        return (
            f"{some.rstrip(',')}, each scanned {config.draws} times by a drawn "
            f"`{config.protocol}` machine with drawn implants at true size, from seed "
            f"{config.seed}. The truth is what the same machine makes of the slice without metal "
            "and without noise, `ceiling` its scan without metal. Scored as the ADN paper does "
            "(window 0 to 0.5/cm, metal masked), RMSE below 0.5/cm only."
            f"{averaged} {intervals} Seconds per slice: `reduce` alone; "
            "sinogram, trace and mask are there before the clock starts."
        )
    return (
        f"{some} x {len(cases.masks)} masks of {config.metal}, simulated and scored as the ADN "
        f"paper does (window 0 to 0.5/cm, metal masked), noise from seed {config.seed}."
        f"{averaged} `ceiling` is the reconstruction of the sinogram without "
        f"metal. RMSE below 0.5/cm only. {intervals} Seconds per slice: `reduce` alone, in batches "
        "of masks; sinogram, trace and mask are there before the clock starts."
    )


def _intervals(groups: int, unit: str) -> str:
    """What a caption says of means and intervals over so many patients or slices."""
    known = "" if unit == "patient" else " (whose patients are not known)"
    if groups == 1:
        return f"No intervals: one {unit} says nothing about others."
    few = "; of two they are wide, for two say next to nothing" if groups == 2 else ""
    return f"Means of {groups} {unit}s' means{known}, with 95 % t intervals{few}."
