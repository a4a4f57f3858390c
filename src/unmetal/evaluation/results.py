"""What methods make of a simulated scan and how long they take; rows of scores from that."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.device import timed
from unmetal.evaluation.conditions import EvalConfig, evenly_spaced
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.tables.rows import CEILING, INPUT, TRUTH, Row
from unmetal.methods.method import Method
from unmetal.metrics.aapm import BREAKS, aapm, score
from unmetal.metrics.image_quality import adn_protocol
from unmetal.metrics.lesion import Lesion, contrast, detectability
from unmetal.metrics.regions import Regions, choose_regions
from unmetal.metrics.strata import hu_bias
from unmetal.physics.derive import complete, downsample
from unmetal.physics.simulate import Simulation
from unmetal.scan import Progress, Scan


@dataclass(frozen=True)
class EvalRun:
    """Which methods are evaluated, and how; shared by all test sets."""

    methods: Mapping[str, Method]
    config: EvalConfig
    device: torch.device
    progress: Progress
    pictures: Pictures
    """The images of the cases that it wants are put into it."""

    def slices(self, total: int) -> Iterator[int]:
        """Numbers of the slices to evaluate, of `total`; reports the progress between them."""
        numbers = evenly_spaced(total, self.config.slices)
        for count, number in enumerate(numbers):
            self.progress(count, len(numbers))
            yield number
        self.progress(len(numbers), len(numbers))


@dataclass(frozen=True)
class Result:
    """The images of a batch of cases, and what they took."""

    image: Tensor
    """`[B 1 H W]`, 1/cm."""
    seconds: float | None = None
    """For each slice; None for input, ceiling and truth."""


def run_methods(run: EvalRun, scanned: Simulation, pixel: float) -> dict[str, Result]:
    """Input, methods, ceiling and truth by name, at the resolution that is scored. pixel: mm."""
    scan, factor = scanned.scan, run.config.downsample
    assert scan.clean is not None
    results = {INPUT: Result(scan.image)}
    results |= {name: run_method(one, scan, factor, pixel) for name, one in run.methods.items()}
    results |= {CEILING: Result(scanned.free_image), TRUTH: Result(scan.clean)}
    # Results of methods that were given the averaged image already have this side.
    side = scan.image.shape[-1] // factor
    for name, result in results.items():
        shrink = result.image.shape[-1] // side
        results[name] = replace(result, image=functional.avg_pool2d(result.image, shrink))
    return results


def run_method(method: Method, scan: Scan, factor: int, pixel: float) -> Result:
    """What a method makes of a scan, on the grid it works on, and how long `reduce` takes for each
    slice of it. What it reads beside the image is there before the clock starts."""
    given = complete(*method_input(method, scan, factor, pixel))
    image, seconds = timed(lambda: method.reduce(given), given.image.device)
    return Result(image, seconds / len(image))


def method_input(
    method: Method, scan: Scan, factor: int, pixel: float
) -> tuple[Scan, frozenset[str], float]:
    """The scan, the fields that the method reads, and the pixel size in mm, for `complete`.

    Methods that read the sinogram need the scan's own pixels; all others are given the image
    averaged over `factor` x `factor` pixels, as they were when they learned.
    """
    if factor == 1 or method.inputs & {"sinogram", "trace"}:
        return scan, method.inputs, pixel
    assert scan.metal is not None
    # A block is metal where any of its pixels is.
    metal = functional.max_pool2d(scan.metal.float(), factor) > 0
    return replace(downsample(scan, factor), metal=metal), method.inputs, pixel * factor


def score_rows(results: Mapping[str, Result], case: Row, sizes: Mapping[int, int]) -> Iterator[Row]:
    """A row of the ADN paper's metrics for each result but the truth, and each case of the batch.

    case: what all rows share. sizes: number of the mask -> its pixels, in the order of the batch.
    """
    truth, affected = results[TRUTH].image, results[INPUT].image
    for name, result in results.items():
        if name == TRUTH:
            continue
        scores = adn_protocol(result.image, truth, affected)
        values = {metric: value.tolist() for metric, value in scores.items()}
        seconds: Row = {} if result.seconds is None else {"seconds": result.seconds}
        # Scores are [B], a batch is one slice with B masks: a row for each.
        for i, (mask, size) in enumerate(sizes.items()):
            which: Row = {"method": name, **case, "mask": mask, "mask_px": size}
            yield which | {metric: value[i] for metric, value in values.items()} | seconds


@dataclass(frozen=True)
class Clinical:
    """A case to take the clinical measures on; HU `[H W]`, masks bool `[H W]`."""

    truth: np.ndarray
    """With the metal of the affected slice put in, as it is into results."""
    affected: np.ndarray
    body: np.ndarray
    regions: Regions

    @classmethod
    def of(
        cls,
        truth: np.ndarray,
        affected: np.ndarray,
        metal: np.ndarray,
        body: np.ndarray,
        pixel: float,
    ) -> Clinical:
        """With regions that are chosen once for all methods. pixel: mm."""
        regions = choose_regions(truth, metal, body, pixel)
        return cls(np.where(metal, affected, truth), affected, body, regions)

    def with_metal(self, hu: np.ndarray) -> np.ndarray:
        """A result with the metal put back, as `unmetal reduce` does."""
        return np.where(self.regions.metal, self.affected, hu)

    def row(self, hu: np.ndarray) -> Row:
        """`aapm_NAME` of the eight metrics, `score_NAME` of those that have scores, and HU bias by
        distance; without what is not a number. hu: the result, with the metal put back."""
        errors = aapm(hu, self.truth, self.regions)
        values = {f"aapm_{name}": error for name, error in errors.items()}
        values |= {f"score_{name}": score(name, errors[name]) for name in BREAKS}
        metal, pixel = self.regions.metal, self.regions.pixel
        return without_nan(values | hu_bias(hu, self.truth, metal, self.body, pixel))

    def lesion_row(
        self, without: np.ndarray, with_it: np.ndarray, true: np.ndarray, lesion: Lesion
    ) -> Row:
        """`lesion_contrast` and `lesion_dprime` of results of a scan without a lesion and with.

        true: the truth with the lesion, HU `[H W]`: its contrast after the machine's own blur is
        all that a method can keep.
        """
        # Share of the contrast that the blur leaves in the truth, at most 1.
        whole = contrast(self.truth, self.with_metal(true), lesion)
        return without_nan(
            {
                "lesion_contrast": contrast(without, with_it, lesion) / whole,
                "lesion_dprime": detectability(without, with_it, self.truth, lesion),
            }
        )


def without_nan(values: Mapping[str, float]) -> Row:
    """The measures that could be taken."""
    return {name: value for name, value in values.items() if not math.isnan(value)}
