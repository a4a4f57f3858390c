"""Methods on test sets, a row of numbers for each method and case."""

from collections.abc import Iterator, Mapping

import torch

from unmetal.errors import InputError
from unmetal.evaluation.cases import Cases, Clean, Pairs, Real
from unmetal.evaluation.conditions import Setting, spread
from unmetal.evaluation.drawn_machines import on_drawn
from unmetal.evaluation.given_slices import on_pairs, on_real
from unmetal.evaluation.pictures import Case, Pictures
from unmetal.evaluation.results import results, rows
from unmetal.evaluation.tables.rows import Row
from unmetal.methods.method import Method
from unmetal.physics.machines import MACHINES
from unmetal.physics.protocol import PROTOCOLS, Protocol
from unmetal.physics.simulate import resize, simulate
from unmetal.scan import Progress
from unmetal.units import hu_to_mu, mu_to_hu

BATCH = 5
"""Masks at a time, which a published seed's noise depends on."""

PLAIN = Setting()


def evaluate(
    methods: Mapping[str, Method],
    cases: Cases,
    setting: Setting = PLAIN,
    *,
    device: torch.device | None = None,
    progress: Progress = lambda done, total: None,
    pictures: Pictures | None = None,
) -> Iterator[Row]:
    """Rows of every method on every case, as they come; see `on_clean`, `drawn.on_drawn`,
    `pairs.on_pairs` and `real.on_real`.

    pictures: what it wants is put into it. Raises `InputError` for a setting that does not fit.
    """
    device, pictures = device or torch.device("cpu"), pictures or Pictures(())
    methods = {name: method.to(device).eval() for name, method in methods.items()}
    fits(cases, setting)
    if isinstance(cases, Clean) and setting.protocol in MACHINES:
        yield from on_drawn(methods, cases, setting, device, progress, pictures)
    elif isinstance(cases, Clean):
        protocol = PROTOCOLS[setting.protocol]
        yield from on_clean(methods, cases, protocol, setting, device, progress, pictures)
    elif isinstance(cases, Pairs):
        yield from on_pairs(methods, cases, setting, device, progress, pictures)
    else:
        numbers = spread(len(cases.names), setting.slices)
        yield from on_real(methods, cases, numbers, device, progress, pictures)


def fits(cases: Cases, setting: Setting) -> None:
    """Raise `InputError` for a setting that these cases do not have."""
    if not isinstance(cases, Clean):
        if setting.coarser != 1:
            raise InputError("ready-made slices are scored at their own resolution: no --coarser")
        if setting.protocol != "adn":
            raise InputError("--protocol simulates on clean slices: DATA has others")
    if setting.draws < 1:
        raise InputError(f"--draws {setting.draws}: every slice is scanned at least once")
    if setting.clinical and isinstance(cases, Real):
        raise InputError("--clinical needs a truth, and real metal has none: leave it out")
    if setting.clinical and isinstance(cases, Clean) and setting.protocol not in MACHINES:
        raise InputError(
            "--clinical needs slices at true size: --protocol clinical or cbct, or pairs"
        )
    if setting.protocol in MACHINES and isinstance(cases, Clean) and cases.spacing is None:
        raise InputError(f"--protocol {setting.protocol} needs spacing_mm: give an index.csv")


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
    metrics of `metrics.image_quality.adn_protocol`, and a method's `seconds` (see `corrected`).
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
