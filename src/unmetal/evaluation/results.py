"""What methods make of a simulated scan, at the resolution that is scored, and its scores."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor
from torch.nn import functional

from unmetal.device import timed
from unmetal.evaluation.tables.rows import CEILING, INPUT, TRUTH, Row
from unmetal.methods.method import Method
from unmetal.metrics.aapm import BREAKS, aapm, score
from unmetal.metrics.image_quality import adn_protocol
from unmetal.metrics.lesion import Lesion, contrast, detectability
from unmetal.metrics.regions import Regions, choose_regions
from unmetal.metrics.strata import hu_bias
from unmetal.physics.derive import coarser, complete
from unmetal.physics.simulate import Simulation
from unmetal.scan import Scan


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
    if factor == 1 or method.inputs & {"sinogram", "trace"}:
        return scan, method.inputs, pixel
    assert scan.metal is not None
    metal = functional.max_pool2d(scan.metal.float(), factor) > 0
    return replace(coarser(scan, factor), metal=metal), method.inputs, pixel * factor


@dataclass(frozen=True)
class Clinical:
    """A case that results are measured on; HU `[H W]`, masks bool `[H W]`."""

    truth: np.ndarray
    """With the metal of the affected slice in it, as results have it, too."""
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
    ) -> "Clinical":
        """Regions are chosen here, once for all methods. pixel: mm."""
        regions = choose_regions(truth, metal, body, pixel)
        return cls(np.where(metal, affected, truth), affected, body, regions)

    def with_metal(self, hu: np.ndarray) -> np.ndarray:
        """A result with the metal put back, as `unmetal reduce` does."""
        return np.where(self.regions.metal, self.affected, hu)

    def row(self, hu: np.ndarray) -> Row:
        """`aapm_NAME` of the eight metrics, `score_NAME` of those that have scores, and HU bias by
        distance; without what is not a number. hu: the result, with the metal put back."""
        errors = aapm(hu, self.truth, self.regions)
        found = {f"aapm_{name}": error for name, error in errors.items()}
        found |= {f"score_{name}": score(name, errors[name]) for name in BREAKS}
        metal, pixel = self.regions.metal, self.regions.pixel
        return numbers(found | hu_bias(hu, self.truth, metal, self.body, pixel))

    def lesion_row(
        self, without: np.ndarray, with_it: np.ndarray, true: np.ndarray, lesion: Lesion
    ) -> Row:
        """`lesion_contrast` and `lesion_dprime` of results of a scan without a lesion and with.

        true: the truth with the lesion, HU `[H W]`: what the machine's own blur leaves of it is all
        that a method can keep.
        """
        whole = contrast(self.truth, self.with_metal(true), lesion)
        return numbers(
            {
                "lesion_contrast": contrast(without, with_it, lesion) / whole,
                "lesion_dprime": detectability(without, with_it, self.truth, lesion),
            }
        )


def numbers(found: dict[str, float]) -> Row:
    """Without what could not be measured."""
    return {name: value for name, value in found.items() if not math.isnan(value)}
