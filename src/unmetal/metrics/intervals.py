"""How sure a mean is when slices of one patient are alike."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval, in the unit of the values."""

    mean: float
    low: float
    high: float


def bootstrap(
    values: Sequence[float], groups: Sequence[Hashable], seed: int = 0, draws: int = 2000
) -> Interval:
    """Mean of the values and its 95 % percentile interval, resampling whole groups (patients).

    Slices of one patient share anatomy and implant: drawing them one by one would claim more than
    is known. Every value weighs the same, so a patient weighs as many slices as it has. Source:
    cluster bootstrap, Davison and Hinkley, "Bootstrap Methods and their Application" (1997), 3.8.
    Raises `ValueError` where there is nothing to average.
    """
    if len(values) != len(groups):
        raise ValueError(f"{len(values)} values have {len(groups)} groups")
    if not len(values):
        raise ValueError("there is nothing to average")
    order = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    member = np.array([order[group] for group in groups])
    sums = np.bincount(member, weights=np.asarray(values, dtype=np.float64))
    counts = np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(order), size=(draws, len(order)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))
