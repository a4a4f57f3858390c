"""Methods on ready-made slices, as `unmetal reduce` runs them: pairs, and real metal."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import torch

from unmetal.device import timed
from unmetal.errors import InputError
from unmetal.evaluation.cases import Pairs, Real
from unmetal.evaluation.results import Clinical, EvalRun, without_nan
from unmetal.evaluation.tables.rows import INPUT, TRUE_MASK, TRUTH, Case, Row
from unmetal.methods import build
from unmetal.metrics.harm import harmed_and_helped
from unmetal.metrics.image_quality import hu_protocol
from unmetal.metrics.no_reference import choose_flat, no_reference_metrics
from unmetal.physics.derive import body_mask
from unmetal.reduction.metal_search import find_bodies, find_metal, search_metal
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.scan import Volume
from unmetal.units import METAL_HU


def on_pairs(run: EvalRun, cases: Pairs) -> Iterator[Row]:
    """Each slice by `reduction.reduce_volume` from the image alone, with its own metal mask.

    Rows hold `group`, `slice` (its name), `mask_px`, `dice` (of the metal mask that was found),
    the metrics of `metrics.image_quality.hu_protocol` against the true mask, `harmed` and `helped`
    (%, of `metrics.harm`; 0 for the input itself), the clinical measures
    where they are wanted, and the `seconds` of all that `reduce_volume` does. The row `METHOD, true
    mask` is the same method given the true mask: the difference is what finding it costs.
    """
    for number in run.slices(len(cases.names)):
        name, true_mask = cases.names[number], cases.metal[number][None]
        volume, pixel = _volume(cases, number)
        # [1 1 H W], as `hu_protocol` takes them.
        truth, body, metal = (
            torch.from_numpy(x[number])[None, None] for x in (cases.clean, cases.body, cases.metal)
        )
        found = metal_to_correct(volume, run.device)
        shared: Row = {"group": name, "slice": name, "mask_px": int(true_mask.sum())}
        shared["dice"] = dice(found, true_mask)
        clinical = None
        if run.config.clinical:
            given = cases.clean[number], volume.hu[0], true_mask[0], cases.body[number]
            clinical = Clinical.of(*given, pixel)
        images = {}
        for label, hu, seconds in _reduced(run, volume, {"": found, TRUE_MASK: true_mask}):
            scores = hu_protocol(torch.from_numpy(hu)[None], truth, body, metal)
            metrics: Row = {metric: value.item() for metric, value in scores.items()}
            one_slice = cases.clean[number], cases.body[number], cases.metal[number]
            metrics |= without_nan(harmed_and_helped(volume.hu[0], hu[0], *one_slice, pixel))
            metrics |= clinical.row(hu[0]) if clinical else {}
            yield {"method": label, **shared, **metrics, **seconds}
            if not label.endswith(TRUE_MASK):
                images[label] = torch.from_numpy(hu[0])
        images[TRUTH] = torch.from_numpy(cases.clean[number])
        run.pictures.keep(Case(name), images)


def on_real(run: EvalRun, cases: Real) -> Iterator[Row]:
    """Each slice whose metal makes an artifact by `reduction.reduce_volume`, and as it is.

    Rows hold `group`, `slice` (its name), `mask_px` (of the metal that was found), the measures of
    `metrics.no_reference`, and the `seconds` of all that `reduce_volume` does. Raises `InputError`
    where no slice has metal.
    """
    some = False
    # LI says where tissue is flat: it has learned nothing, so it invents none.
    guide = build("li").to(run.device).eval()
    for number in run.slices(len(cases.names)):
        volume, pixel = _volume(cases, number)
        metal = metal_to_correct(volume, run.device)
        if not metal.any():
            continue
        some = True
        body = body_mask(volume.hu[0], pixel)
        guiding = reduce_volume(volume, guide, metal=metal, device=run.device).volume.hu[0]
        flat = choose_flat(guiding, metal[0], body, pixel)
        shared: Row = {"group": cases.groups[number], "slice": cases.names[number]}
        shared["mask_px"] = int(metal.sum())
        images, before = {}, find_metal(volume)[0]
        for label, hu, seconds in _reduced(run, volume, {"": metal}):
            # What counts as metal in the input, and by the same rule in the result.
            masks = before, find_metal(volume.with_hu(hu))[0]
            measures = no_reference_metrics(volume.hu[0], hu[0], masks, body, flat, pixel)
            yield {"method": label, **shared, **without_nan(measures), **seconds}
            images[label] = torch.from_numpy(hu[0])
        run.pictures.keep(Case(cases.names[number]), images)
    if not some:
        raise InputError("no slice has metal with an artifact: there is nothing to evaluate")


def metal_to_correct(volume: Volume, device: torch.device) -> np.ndarray:
    """bool `[slices H W]`: what `unmetal reduce` finds and corrects."""
    hu = volume.in_air()
    bodies = find_bodies(hu, volume.square_pixel, where=hu > METAL_HU)
    # A method without a segmenter of its own: what is found is the same for all.
    return search_metal(volume, build("nmar"), bodies, device, threshold=METAL_HU).metal


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two masks: 1 the same, 0 disjoint; 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def _volume(cases: Pairs | Real, number: int) -> tuple[Volume, float]:
    """A slice as a volume of one, and its pixel size in mm."""
    pixel = float(cases.spacing[number])
    return Volume(cases.affected[number][None], (pixel, pixel, pixel)), pixel


def _reduced(
    run: EvalRun, volume: Volume, masks: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray, Row]]:
    """Name of the row, HU `[1 H W]` and seconds: of the input, and of each method with each of the
    metal masks, bool `[1 H W]`, which are by what the name then ends in."""
    yield INPUT, volume.hu, {}
    for label, method in run.methods.items():
        for suffix, mask in masks.items():
            once = partial(reduce_volume, volume, method, metal=mask, device=run.device)
            reduced, seconds = timed(once, run.device)
            yield label + suffix, reduced.volume.hu, {"seconds": seconds}
