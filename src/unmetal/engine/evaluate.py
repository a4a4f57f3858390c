"""Methods on test sets with a known truth, a row of numbers for each method and case."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from unmetal.data.cases import Clean, Pairs
from unmetal.engine.reduce import Progress, find_metal, reduce_volume
from unmetal.engine.simulate import resize
from unmetal.methods.method import Method
from unmetal.metrics.protocol import adn_protocol, hu_protocol
from unmetal.physics.derive import complete
from unmetal.physics.simulate import PROTOCOLS, Protocol, simulate
from unmetal.scan import Volume
from unmetal.units import hu_to_mu

Row = dict[str, str | int | float]
"""`method`, what names the case, and its metrics."""

BATCH = 5
"""Masks at a time, which a published seed's noise depends on."""

INPUT, CEILING = "input", "ceiling"
"""Rows that are no methods: the slice as it came; the same scan without metal, reconstructed."""


def evaluate(
    methods: Mapping[str, Method],
    cases: Clean | Pairs,
    *,
    metal: str = "ti",
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress = lambda done, total: None,
) -> Iterator[Row]:
    """Rows of every method on every case, as they come. See `on_clean` and `on_pairs`."""
    device = device or torch.device("cpu")
    methods = {name: method.to(device).eval() for name, method in methods.items()}
    if isinstance(cases, Pairs):
        yield from on_pairs(methods, cases, device, progress)
    else:
        yield from on_clean(methods, cases, PROTOCOLS["adn"], metal, seed, device, progress)


def on_clean(
    methods: Mapping[str, Method],
    cases: Clean,
    protocol: Protocol,
    material: str,
    seed: int,
    device: torch.device,
    progress: Progress,
) -> Iterator[Row]:
    """The ADN paper's evaluation: every slice with every mask, metrics in its window.

    Rows hold `group`, `slice`, `mask`, `mask_px` (pixels of metal on the protocol's grid) and the
    metrics of `metrics.protocol.adn_protocol`. `ceiling` is the reconstruction of the metal-free
    sinogram: the truth of this protocol is the slice before it is scanned, so that no completion
    of the sinogram can be better. Noise is drawn from `seed` and the number of the slice.
    """
    grid = protocol.scanner.grid
    masks = resize(torch.from_numpy(cases.masks).float()[:, None], grid.height, grid.width) > 0.5
    batches = masks.to(device).split(BATCH)
    for number, (hu, group) in enumerate(zip(cases.hu, cases.groups, strict=True)):
        progress(number, len(cases.hu))
        generator = torch.Generator(device).manual_seed(seed * 1_000_003 + number)
        slice_ = hu_to_mu(torch.from_numpy(hu).to(device))[None, None]
        clean = resize(slice_, grid.height, grid.width).clamp_min(0)
        for first, some in enumerate(batches):
            truth = clean.expand(len(some), -1, -1, -1)
            with torch.inference_mode():
                done = simulate(truth, some, (material,), protocol, generator)
                outputs = {INPUT: done.scan.image}
                for name, method in methods.items():
                    outputs[name] = method.reduce(
                        complete(done.scan, method.reads, 10 * grid.pixel)
                    )
                outputs[CEILING] = done.free_image
                scores = {
                    name: adn_protocol(output, truth, done.scan.image)
                    for name, output in outputs.items()
                }
            sizes = some.sum((1, 2, 3)).tolist()
            for name, score in scores.items():
                for i, size in enumerate(sizes):
                    case = {
                        "group": group,
                        "slice": number,
                        "mask": BATCH * first + i,
                        "mask_px": size,
                    }
                    yield {"method": name, **case, **{k: v[i].item() for k, v in score.items()}}
    progress(len(cases.hu), len(cases.hu))


def on_pairs(
    methods: Mapping[str, Method], cases: Pairs, device: torch.device, progress: Progress
) -> Iterator[Row]:
    """What a user gets: each slice by `engine.reduce` from the image alone, own metal mask.

    Rows hold `group`, `slice` (its name), `mask_px`, `dice` (of the metal mask that was found) and
    the metrics of `metrics.protocol.hu_protocol` against the true mask. The row `METHOD, true mask`
    is the same method told where the metal is: the difference is what finding the metal costs.
    """
    for number, name in enumerate(cases.names):
        progress(number, len(cases.names))
        pixel = float(cases.spacing[number])
        volume = Volume(cases.affected[number][None], (pixel, pixel, pixel))
        truth, body, metal = (
            torch.from_numpy(x[number])[None, None] for x in (cases.clean, cases.body, cases.metal)
        )
        found = find_metal(volume)
        told = cases.metal[number][None]
        outputs = {INPUT: volume.hu}
        for label, method in methods.items():
            for suffix, mask in (("", found), (", true mask", told)):
                reduced = reduce_volume(volume, method, metal=mask, device=device)
                outputs[label + suffix] = reduced.volume.hu
        for label, output in outputs.items():
            score = hu_protocol(torch.from_numpy(output)[None], truth, body, metal)
            case: Row = {"group": name, "slice": name, "mask_px": int(told.sum())}
            case["dice"] = dice(found, told)
            yield {"method": label, **case, **{k: v.item() for k, v in score.items()}}
    progress(len(cases.names), len(cases.names))


def caption(cases: Clean | Pairs, metal: str, seed: int) -> str:
    """What a table of these cases shows, in words."""
    if isinstance(cases, Pairs):
        return (
            f"{len(cases.names)} slices of a scanner with a known truth. Each goes through what "
            "`unmetal reduce` does, from the image alone; `METHOD, true mask` was told where the "
            "metal is. HU clipped to [-1000, 2000], inside the body, farther than 2 px from metal; "
            "PSNR for a range of 3000 HU, SSIM with a Gaussian window. Intervals: 95 %, bootstrap "
            "over slices."
        )
    return (
        f"{len(cases.hu)} slices x {len(cases.masks)} masks of {metal}, simulated and scored as "
        f"the ADN paper does (window 0 to 0.5/cm, metal masked), noise from seed {seed}. `ceiling` "
        "is the reconstruction of the sinogram without metal. RMSE below 0.5/cm only. Intervals: "
        "95 %, bootstrap over patients, or over slices where patients are not known."
    )


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Overlap of two masks: 1 the same, 0 disjoint; 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0
