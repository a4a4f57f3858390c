"""Methods on test sets, a row of numbers for each method and case.

The ADN paper's protocol on clean slices is here; `drawn_machines` and `given_slices` have the rest.
"""

from collections.abc import Iterator, Mapping

import torch

from unmetal.errors import InputError
from unmetal.evaluation.cases import Cases, Clean, Pairs, Real
from unmetal.evaluation.conditions import EvalConfig
from unmetal.evaluation.drawn_machines import on_drawn
from unmetal.evaluation.given_slices import on_pairs, on_real
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.results import EvalRun, run_methods, score_rows
from unmetal.evaluation.tables.rows import Case, Row
from unmetal.methods.method import Method
from unmetal.physics.machines import MACHINES
from unmetal.physics.protocol import PROTOCOLS
from unmetal.physics.simulate import resize, simulate
from unmetal.scan import Progress
from unmetal.units import hu_to_mu, mu_to_hu

BATCH = 5
"""Masks at a time. The noise of a seed depends on it."""


def evaluate(
    methods: Mapping[str, Method],
    cases: Cases,
    config: EvalConfig = EvalConfig(),  # noqa: B008  (frozen)
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008  (immutable)
    progress: Progress = lambda done, total: None,
    pictures: Pictures | None = None,
) -> Iterator[Row]:
    """Rows of every method on every case, as they come; see `on_clean`, `on_drawn`, `on_pairs` and
    `on_real`.

    pictures: the images of the cases that it wants are put into it. Raises `InputError` for a
    configuration that does not fit the cases.
    """
    validate_config(cases, config)
    methods = {name: method.to(device).eval() for name, method in methods.items()}
    run = EvalRun(methods, config, device, progress, pictures or Pictures())
    if isinstance(cases, Pairs):
        yield from on_pairs(run, cases)
    elif isinstance(cases, Real):
        yield from on_real(run, cases)
    elif config.protocol in MACHINES:
        yield from on_drawn(run, cases)
    else:
        yield from on_clean(run, cases)


def validate_config(cases: Cases, config: EvalConfig) -> None:
    """Raise `InputError` for options that these cases do not have."""
    drawn = config.protocol in MACHINES
    if not isinstance(cases, Clean):
        if config.downsample != 1:
            raise InputError("ready-made slices are scored at their own pixels: no --downsample")
        if config.protocol != "adn":
            raise InputError("--protocol simulates on clean slices: DATA has others")
    if config.clinical and isinstance(cases, Real):
        raise InputError("--clinical needs a truth, and real metal has none: leave it out")
    if config.clinical and isinstance(cases, Clean) and not drawn:
        raise InputError("--clinical needs true sizes: --protocol clinical or cbct, or pairs")
    if drawn and isinstance(cases, Clean) and cases.spacing is None:
        raise InputError(f"--protocol {config.protocol} needs spacing_mm: give an index.csv")


def on_clean(run: EvalRun, cases: Clean) -> Iterator[Row]:
    """The ADN paper's evaluation: slices with every mask, metrics in its window.

    Rows hold `group`, `slice`, `mask`, `mask_px` (pixels of metal on the protocol's grid), the
    metrics of `metrics.image_quality.adn_protocol`, and a method's `seconds` (see `run_method`).
    `ceiling` is the reconstruction of the metal-free sinogram: the truth of this protocol is the
    slice before it is scanned, so that no completion of the sinogram can be better. Noise is drawn
    from the seed and the number of the slice.
    """
    config, protocol = run.config, PROTOCOLS[run.config.protocol]
    grid = protocol.scanner.grid
    masks = resize(torch.from_numpy(cases.masks).float()[:, None], grid.height, grid.width) > 0.5
    batches = masks.to(run.device).split(BATCH)
    for number in run.slices(len(cases.hu)):
        generator = torch.Generator(run.device).manual_seed(config.seed * 1_000_003 + number)
        hu = torch.from_numpy(cases.hu[number]).to(run.device)[None, None]
        clean = resize(hu_to_mu(hu), grid.height, grid.width).clamp_min(0)
        for first, metal in enumerate(batches):
            with torch.inference_mode():
                # One slice [1 1 H W] with a batch of masks [B 1 H W].
                truth = clean.expand(len(metal), -1, -1, -1)
                scanned = simulate(truth, metal, (config.metal,), protocol, generator)
                results = run_methods(run, scanned, 10 * grid.pixel)
            case: Row = {"group": cases.groups[number], "slice": number}
            sizes = dict(enumerate(metal.sum((1, 2, 3)).tolist(), BATCH * first))
            yield from score_rows(results, case, sizes)
            for i, mask in enumerate(sizes):
                images = {name: mu_to_hu(result.image[i, 0]) for name, result in results.items()}
                run.pictures.keep(Case(str(number), mask), images)
