"""Methods on ready-made pairs: what a user gets, from the image alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from unmetal.data.cases import Pairs
from unmetal.engine.clock import timed
from unmetal.engine.pictures import Case, Pictures
from unmetal.engine.reduce import Progress, find_metal, reduce_volume
from unmetal.engine.rows import INPUT, TRUTH, Row
from unmetal.methods.method import Method
from unmetal.metrics.protocol import hu_protocol
from unmetal.scan import Volume


def on_pairs(
    methods: Mapping[str, Method],
    cases: Pairs,
    numbers: Sequence[int],
    device: torch.device,
    progress: Progress,
    pictures: Pictures,
) -> Iterator[Row]:
    """Each slice by `engine.reduce` from the image alone, with its own metal mask.

    Rows hold `group`, `slice` (its name), `mask_px`, `dice` (of the metal mask that was found),
    the metrics of `metrics.protocol.hu_protocol` against the true mask, and the `seconds` of all
    that `reduce_volume` does. The row `METHOD, true mask` is the same method told where the metal
    is: the difference is what finding the metal costs.
    """
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
        for label, hu, took in corrected(methods, volume, found, told, device):
            score = hu_protocol(torch.from_numpy(hu)[None], truth, body, metal)
            yield {"method": label, **shared, **{k: v.item() for k, v in score.items()}, **took}
            if label in methods:
                shown[label] = hu
        shown[TRUTH] = cases.clean[number][None]
        pictures.take(Case(name), {k: torch.from_numpy(hu[0]) for k, hu in shown.items()})
    progress(len(numbers), len(numbers))


def corrected(
    methods: Mapping[str, Method],
    volume: Volume,
    found: np.ndarray,
    told: np.ndarray,
    device: torch.device,
) -> Iterator[tuple[str, np.ndarray, Row]]:
    """Rows' names, HU `[1 H W]` and seconds, of the input and of each method with the metal masks
    bool `[1 H W]` that were found and told."""
    yield INPUT, volume.hu, {}
    for label, method in methods.items():
        for suffix, mask in (("", found), (", true mask", told)):

            def reduce(method: Method = method, mask: np.ndarray = mask) -> np.ndarray:
                return reduce_volume(volume, method, metal=mask, device=device).volume.hu

            hu, seconds = timed(reduce, device)
            yield label + suffix, hu, {"seconds": seconds}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two masks: 1 the same, 0 disjoint; 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
