"""Methods on real metal, whose truth nobody knows: what a user gets, and what can be said of it."""

from collections.abc import Iterator, Mapping, Sequence

import torch

from unmetal.data.cases import Real
from unmetal.engine.clinical import numbers
from unmetal.engine.pairs import corrected
from unmetal.engine.pictures import Case, Pictures
from unmetal.engine.reduce import Progress, find_metal, reduce_volume
from unmetal.engine.rows import Row
from unmetal.errors import InputError
from unmetal.methods import load
from unmetal.methods.method import Method
from unmetal.metrics.without_truth import choose_flat, without_truth
from unmetal.physics.derive import body_mask
from unmetal.scan import Volume

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
    """Each slice that has metal inside the body by `engine.reduce`, and the input as it is.

    Rows hold `group`, `slice` (its name), `mask_px` (of the metal that was found), the measures of
    `metrics.without_truth`, and the `seconds` of all that `reduce_volume` does. Raises `InputError`
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
