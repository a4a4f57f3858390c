"""Methods on test sets with a known truth, a row of numbers for each method and case."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from unmetal.data.cases import Clean, Pairs
from unmetal.data.samples import coarser
from unmetal.engine.clock import timed
from unmetal.engine.pairs import on_pairs
from unmetal.engine.pictures import Case, Pictures
from unmetal.engine.reduce import Progress
from unmetal.engine.rows import CEILING, INPUT, TRUTH, Row, Setting, spread
from unmetal.engine.simulate import resize
from unmetal.errors import InputError
from unmetal.methods.method import Method
from unmetal.metrics.protocol import adn_protocol
from unmetal.physics.derive import complete
from unmetal.physics.protocol import PROTOCOLS, Protocol
from unmetal.physics.simulate import Simulation, simulate
from unmetal.scan import Scan
from unmetal.units import hu_to_mu, mu_to_hu

BATCH = 5
"""Masks at a time, which a published seed's noise depends on."""

PLAIN = Setting()


def evaluate(
    methods: Mapping[str, Method],
    cases: Clean | Pairs,
    setting: Setting = PLAIN,
    *,
    device: torch.device | None = None,
    progress: Progress = lambda done, total: None,
    pictures: Pictures | None = None,
) -> Iterator[Row]:
    """Rows of every method on every case, as they come; see `on_clean` and `pairs.on_pairs`.

    pictures: what it wants is put into it. Raises `InputError` for a setting that does not fit.
    """
    device, pictures = device or torch.device("cpu"), pictures or Pictures(())
    methods = {name: method.to(device).eval() for name, method in methods.items()}
    if isinstance(cases, Clean):
        protocol = PROTOCOLS["adn"]
        yield from on_clean(methods, cases, protocol, setting, device, progress, pictures)
        return
    if setting.coarser != 1:
        raise InputError("ready-made pairs are scored at their own resolution: leave out --coarser")
    numbers = spread(len(cases.names), setting.slices)
    yield from on_pairs(methods, cases, numbers, device, progress, pictures)


def on_clean(
    methods: Mapping[str, Method],
    cases: Clean,
    protocol: Protocol,
    setting: Setting,
    device: torch.device,
    progress: Progress,
    pictures: Pictures,
) -> Iterator[Row]:
    """The ADN paper's evaluation: slices with every mask, metrics in its window.

    Rows hold `group`, `slice`, `mask`, `mask_px` (pixels of metal on the protocol's grid), the
    metrics of `metrics.protocol.adn_protocol`, and a method's `seconds` (see `corrected`).
    `ceiling` is the reconstruction of the metal-free sinogram: the truth of this protocol is the
    slice before it is scanned, so that no completion of the sinogram can be better. Noise is drawn
    from the seed and the number of the slice.
    """
    grid = protocol.scanner.grid
    masks = resize(torch.from_numpy(cases.masks).float()[:, None], grid.height, grid.width) > 0.5
    batches = masks.to(device).split(BATCH)
    numbers = spread(len(cases.hu), setting.slices)
    for count, number in enumerate(numbers):
        progress(count, len(numbers))
        generator = torch.Generator(device).manual_seed(setting.seed * 1_000_003 + number)
        slice_ = hu_to_mu(torch.from_numpy(cases.hu[number]).to(device))[None, None]
        clean = resize(slice_, grid.height, grid.width).clamp_min(0)
        for first, some in enumerate(batches):
            with torch.inference_mode():
                truth = clean.expand(len(some), -1, -1, -1)
                done = simulate(truth, some, (setting.metal,), protocol, generator)
                found = results(methods, done, setting.coarser, 10 * grid.pixel)
            case: Row = {"group": cases.groups[number], "slice": number}
            sizes = dict(enumerate(some.sum((1, 2, 3)).tolist(), BATCH * first))
            yield from rows(found, case, sizes)
            for i, mask in enumerate(sizes):
                shown = {name: mu_to_hu(result.image[i, 0]) for name, result in found.items()}
                pictures.take(Case(str(number), mask), shown)
    progress(len(numbers), len(numbers))


@dataclass(frozen=True)
class Result:
    """What came of a batch of cases."""

    image: Tensor
    """`[B 1 H W]`, 1/cm."""

    seconds: float | None = None
    """For each slice; None for what is no method."""


def rows(found: Mapping[str, Result], case: Row, sizes: Mapping[int, int]) -> Iterator[Row]:
    """A row for each result but the truth, and each mask, whose `sizes` are in pixels."""
    for name, result in found.items():
        if name == TRUTH:
            continue
        scores = adn_protocol(result.image, found[TRUTH].image, found[INPUT].image)
        values = {metric: value.tolist() for metric, value in scores.items()}
        took: Row = {} if result.seconds is None else {"seconds": result.seconds}
        for i, (mask, size) in enumerate(sizes.items()):
            which: Row = {"method": name, **case, "mask": mask, "mask_px": size}
            yield which | {metric: value[i] for metric, value in values.items()} | took


def results(
    methods: Mapping[str, Method], done: Simulation, factor: int, pixel: float
) -> dict[str, Result]:
    """Input, methods, ceiling and truth at the resolution that is scored; `pixel` is in mm."""
    assert done.scan.clean is not None
    found = {INPUT: Result(done.scan.image)}
    found |= {name: corrected(m, done.scan, factor, pixel) for name, m in methods.items()}
    found |= {CEILING: Result(done.free_image), TRUTH: Result(done.scan.clean)}
    side = done.scan.image.shape[-1] // factor
    for name, result in found.items():
        shrink = result.image.shape[-1] // side
        found[name] = replace(result, image=functional.avg_pool2d(result.image, shrink))
    return found


def corrected(method: Method, scan: Scan, factor: int, pixel: float) -> Result:
    """What a method makes of a scan, on the grid it works on, and how long `reduce` takes for each
    slice of it. What it reads beside the image is there before the clock starts."""
    given = complete(*seen_by(method, scan, factor, pixel))
    image, seconds = timed(lambda: method.reduce(given), given.image.device)
    return Result(image, seconds / len(image))


def seen_by(
    method: Method, scan: Scan, factor: int, pixel: float
) -> tuple[Scan, frozenset[str], float]:
    """The scan, the fields that the method reads, and the pixel size in mm, for `complete`.

    What is averaged has metal wherever a pixel of the block is metal.
    """
    if factor == 1 or method.reads & {"sinogram", "trace"}:
        return scan, method.reads, pixel
    assert scan.metal is not None
    metal = functional.max_pool2d(scan.metal.float(), factor) > 0
    return replace(coarser(scan, factor), metal=metal), method.reads, pixel * factor
