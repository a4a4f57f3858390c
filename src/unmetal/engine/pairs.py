"""Methods on ready-made pairs: what a user gets, from the image alone."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from unmetal.data.cases import Pairs
from unmetal.engine.clinical import Clinical
from unmetal.engine.clock import timed
from unmetal.engine.pictures import Case, Pictures
from unmetal.engine.reduce import Progress, find_metal, reduce_volume
from unmetal.engine.rows import INPUT, TRUTH, Row, Setting, spread
from unmetal.methods.method import Method
from unmetal.metrics.protocol import hu_protocol
from unmetal.scan import Volume


def on_pairs(
    methods: Mapping[str, Method],
    cases: Pairs,
    setting: Setting,
    device: torch.device,
    progress: Progress,
    pictures: Pictures,
) -> Iterator[Row]:
    """Each slice by `engine.reduce` from the image alone, with its own metal mask.

    Rows hold `group`, `slice` (its name), `mask_px`, `dice` (of the metal mask that was found),
    the metrics of `metrics.protocol.hu_protocol` against the true mask, the clinical measures where
    the setting wants them, and the `seconds` of all that `reduce_volume` does. The row `METHOD,
    true mask` is the same method told where the metal is: the difference is what finding it costs.
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
