"""What a clinician trusts, as numbers of a row: the clinical measures of one case of a test set."""

import math
from dataclasses import dataclass

import numpy as np

from unmetal.engine.rows import Row
from unmetal.metrics.aapm import BREAKS, aapm, score
from unmetal.metrics.bias import hu_bias
from unmetal.metrics.lesion import Lesion, contrast, detectability
from unmetal.metrics.regions import Regions, choose_regions


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
