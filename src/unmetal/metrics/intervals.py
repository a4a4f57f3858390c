"""How sure a mean or a difference is when slices of one patient are alike."""

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval, in the unit of the values."""

    mean: float
    low: float
    high: float


class Difference(NamedTuple):
    """A mean difference, the ends of its 95 % interval, and how easily chance alone gives it."""

    mean: float
    low: float
    high: float
    p: float
    """Two-sided p-value; not corrected for however many differences are looked at."""


EXACT = 12
"""Groups up to which all 2^12 combinations of signs are tried; beyond, signs are drawn."""


def bootstrap(
    values: Sequence[float], groups: Sequence[Hashable], seed: int = 0, draws: int = 2000
) -> Interval:
    """Mean of the values and its 95 % percentile interval, resampling whole groups (patients).

    Slices of one patient share anatomy and implant: drawing them one by one would claim more than
    is known. Every value weighs the same, so a patient weighs as many slices as it has. Source:
    cluster bootstrap, Davison and Hinkley, "Bootstrap Methods and their Application" (1997), 3.8.
    One group alone says nothing about others: its interval is NaN. Raises `ValueError` where there
    is nothing to average.
    """
    if len(values) != len(groups):
        raise ValueError(f"{len(values)} values have {len(groups)} groups")
    if not len(values):
        raise ValueError("there is nothing to average")
    sums, counts = _by_group(values, groups)
    if len(sums) == 1:
        return Interval(float(sums.sum() / counts.sum()), math.nan, math.nan)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def paired(
    values: Sequence[float],
    reference: Sequence[float],
    groups: Sequence[Hashable],
    seed: int = 0,
    draws: int = 9999,
) -> Difference:
    """Mean of `values - reference`, case by case, with its interval over whole groups (patients).

    Cases differ from each other far more than methods do on one case, so the interval of the
    difference is much narrower than those of the two means suggest. The interval is `bootstrap`'s.
    The p-value is that of a sign-flip test: if neither were better, each patient's summed
    difference could as well have had the other sign. All signs are tried for up to `EXACT` groups,
    so that 11 patients cannot give less than 2 / 2^11; beyond, `draws` of them, counting the one
    that was observed. Source: Fisher's randomisation test; Phipson and Smyth, "Permutation
    P-values Should Never Be Zero", Stat. Appl. Genet. Mol. Biol. 9 (2010).
    Raises `ValueError` where there is nothing to compare.
    """
    if len(values) != len(reference):
        raise ValueError(f"{len(values)} values have {len(reference)} to compare with")
    difference = np.asarray(values, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    interval = bootstrap(difference.tolist(), groups, seed)
    sums, _ = _by_group(difference, groups)
    return Difference(*interval, _sign_flip(sums, seed, draws))


def _by_group(
    values: Sequence[float] | np.ndarray, groups: Sequence[Hashable]
) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each group, `[G]` each."""
    order = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    member = np.array([order[group] for group in groups])
    return np.bincount(member, weights=np.asarray(values, dtype=np.float64)), np.bincount(member)


def _sign_flip(sums: np.ndarray, seed: int, draws: int) -> float:
    """How often sums `[G]` with arbitrary signs add up to at least as much as with their own."""
    # Equal sums that are added up in another order may differ by rounding.
    observed = abs(sums.sum()) * (1 - 1e-9)
    if len(sums) <= EXACT:
        signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float((abs(signs @ sums) >= observed).mean())
    signs = np.random.default_rng(seed).choice((-1, 1), (draws, len(sums)))
    return float((1 + (abs(signs @ sums) >= observed).sum()) / (draws + 1))
