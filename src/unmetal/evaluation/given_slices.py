"""Methods on ready-made pairs: what a user gets, from the image alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from unmetal.device import timed
from unmetal.errors import InputError
from unmetal.evaluation.cases import Pairs, Real
from unmetal.evaluation.conditions import Setting, spread
from unmetal.evaluation.pictures import Case, Pictures
from unmetal.evaluation.results import Clinical, numbers
from unmetal.evaluation.tables.rows import INPUT, TRUTH, Row
from unmetal.methods import load
from unmetal.methods.method import Method
from unmetal.metrics.image_quality import hu_protocol
from unmetal.metrics.no_reference import choose_flat, without_truth
from unmetal.physics.derive import body_mask
from unmetal.reduction.reduce_volume import find_metal, reduce_volume
from unmetal.scan import Progress, Volume


def on_pairs(
    methods: Mapping[str, Method],
    cases: Pairs,
    setting: Setting,
    device: torch.device,
    progress: Progress,
    pictures: Pictures,
) -> Iterator[Row]:
    """Each slice by `reduction.reduce_volume` from the image alone, with its own metal mask.

    Rows hold `group`, `slice` (its name), `mask_px`, `dice` (of the metal mask that was found),
    the metrics of `metrics.image_quality.hu_protocol` against the true mask, the clinical measures
    where the setting wants them, and the `seconds` of all that `reduce_volume` does. The row
    `METHOD, true mask` is the same method told where the metal is: the difference is what finding
    it costs.
    """
    numbers = spread(len(cases.names), setting.slices)
    for count, number in enumerate(numbers):
        progress(count, len(numbers))
        name, told = cases.names[number], cases.metal[number][None]
        pixel = float(cases.spacing[number])
        volume = Volume(cases.affected[number][None], (pixel, pixel, pixel))
        truth, body, metal = (
            torch.from_numpy(x[number])[None, None] for x in (cases.clean, cases.body, cases.metal)
        )
        found = find_metal(volume)
        shared: Row = {"group": name, "slice": name, "mask_px": int(told.sum())}
        shared["dice"] = dice(found, told)
        shown = {INPUT: volume.hu}
        clinical = None
        if setting.clinical:
            clean, body_ = cases.clean[number], cases.body[number]
            clinical = Clinical.of(clean, volume.hu[0], told[0], body_, pixel)
        masks = {"": found, ", true mask": told}
        for label, hu, took in corrected(methods, volume, masks, device):
            score = hu_protocol(torch.from_numpy(hu)[None], truth, body, metal)
            scores: Row = {name: value.item() for name, value in score.items()}
            more = clinical.row(hu[0]) if clinical else {}
            yield {"method": label, **shared, **scores, **more, **took}
            if label in methods:
                shown[label] = hu
        shown[TRUTH] = cases.clean[number][None]
        pictures.take(Case(name), {k: torch.from_numpy(hu[0]) for k, hu in shown.items()})
    progress(len(numbers), len(numbers))


def corrected(
    methods: Mapping[str, Method],
    volume: Volume,
    masks: Mapping[str, np.ndarray],
    device: torch.device,
) -> Iterator[tuple[str, np.ndarray, Row]]:
    """Rows' names, HU `[1 H W]` and seconds, of the input and of each method with each of the metal
    masks, bool `[1 H W]`, by what its name then ends in."""
    yield INPUT, volume.hu, {}
    for label, method in methods.items():
        for suffix, mask in masks.items():

            def reduce(method: Method = method, mask: np.ndarray = mask) -> np.ndarray:
                return reduce_volume(volume, method, metal=mask, device=device).volume.hu

            hu, seconds = timed(reduce, device)
            yield label + suffix, hu, {"seconds": seconds}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two masks: 1 the same, 0 disjoint; 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


GUIDE = "li"
"""Whose result tells flat tissue from streaks: it has learned nothing, so it invents no tissue."""


def on_real(
    methods: Mapping[str, Method],
    cases: Real,
    sought: Sequence[int],
    device: torch.device,
    progress: Progress,
    pictures: Pictures,
) -> Iterator[Row]:
    """Each slice with metal inside the body by `reduction.reduce_volume`, and the input as it is.

    Rows hold `group`, `slice` (its name), `mask_px` (of the metal that was found), the measures of
    `metrics.no_reference`, and the `seconds` of all that `reduce_volume` does. Raises `InputError`
    where no slice has metal.
    """
    some = False
    guide = load(GUIDE).to(device).eval()
    for count, number in enumerate(sought):
        progress(count, len(sought))
        pixel = float(cases.spacing[number])
        volume = Volume(cases.affected[number][None], (pixel, pixel, pixel))
        metal = find_metal(volume)
        if not metal.any():
            continue
        some = True
        body = body_mask(volume.hu[0], pixel)
        calm = reduce_volume(volume, guide, metal=metal, device=device).volume.hu[0]
        flat = choose_flat(calm, metal[0], body, pixel)
        shared: Row = {"group": cases.groups[number], "slice": cases.names[number]}
        shared["mask_px"] = int(metal.sum())
        shown = {}
        for name, hu, took in corrected(methods, volume, {"": metal}, device):
            again = find_metal(volume.with_hu(hu))[0]
            found = without_truth(volume.hu[0], hu[0], (metal[0], again), body, flat, pixel)
            yield {"method": name, **shared, **numbers(found), **took}
            shown[name] = torch.from_numpy(hu[0])
        pictures.take(Case(cases.names[number]), shown)
    progress(len(sought), len(sought))
    if not some:
        raise InputError("no slice has metal inside the body: there is nothing to evaluate")
