"""Training, validation and test patients; and which half of the former gives affected slices.

No patient is on two sides. The released code withholds patients with less than 100 files until it
has 200; its halves hold affected and clean slices of the same patients.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

TRAIN, VALIDATION, TEST = "train", "validation", "test"

FEW_SLICES = 100
"""A patient with fewer slices is withheld before one with more. Source: released code."""

MAX_VALIDATION = 100
"""Validation slices at most; a tenth of those that are left, since validation costs time."""


class Counts(NamedTuple):
    """Slices of a patient."""

    affected: int
    clean: int


def split(counts: Mapping[str, Counts], seed: int, withhold: int) -> dict[str, str]:
    """The split of every patient.

    Affected slices, or clean ones where nothing is affected, are withheld by whole patients until
    there are `withhold`, where there are more than that, else a fifth of them; the patient with
    the most is always trained on. Of patients who have clean slices only, a tenth is withheld.

    counts: in an order that is always the same.
    """
    rng = np.random.default_rng(seed)
    affected = {patient: c.affected for patient, c in counts.items() if c.affected}
    clean = {patient: c.clean for patient, c in counts.items() if c.clean and not c.affected}
    if not affected:
        return _assign(clean, rng, _enough(clean, withhold))
    tenth = sum(clean.values()) // 10
    return _assign(affected, rng, _enough(affected, withhold)) | _assign(clean, rng, tenth)


def in_halves(counts: Mapping[str, Counts]) -> dict[str, str]:
    """`affected` or `clean` for each training patient: which of his slices are used.

    Patients who have both kinds go, those with most slices first, to the half that weighs less so
    far, as the paper takes affected and clean images from two halves of its data. A patient weighs
    the square root of his slices, as in `samples.Config.by_patient`: by slices alone one whole-body
    scan would be a half by itself.
    """
    halves = {p: "affected" if c.affected else "clean" for p, c in counts.items() if 0 in c}
    weight = {
        half: sum(getattr(counts[p], half) ** 0.5 for p, his in halves.items() if his == half)
        for half in ("affected", "clean")
    }
    both = [patient for patient, c in counts.items() if 0 not in c]
    for patient in sorted(both, key=lambda p: -counts[p].affected):
        half = min(weight, key=weight.__getitem__)
        halves[patient] = half
        weight[half] += getattr(counts[patient], half) ** 0.5
    return halves


def roles(slices: Mapping[str, int], validation: Iterable[str] = ()) -> dict[str, str]:
    """The role in a `Cohort` of every patient, given how many clean slices each has.

    Those named in `validation` validate; the others are halved by `in_halves`, since any clean
    slice can be given metal.
    """
    validating = dict.fromkeys(validation, "validation")
    rest = {p: Counts(n, n) for p, n in sorted(slices.items()) if p not in validating}
    return validating | in_halves(rest)


def _enough(slices: Mapping[str, int], withhold: int) -> int:
    total = sum(slices.values())
    return withhold if total > withhold else total // 5


def _assign(slices: Mapping[str, int], rng: np.random.Generator, test: int) -> dict[str, str]:
    """Patients in random order, small ones first: `test` slices, then validation, then training."""
    patients = list(slices)
    order = [patients[i] for i in rng.permutation(len(patients))]
    order.sort(key=lambda patient: slices[patient] >= FEW_SLICES)  # stable: shuffled within both
    if order:
        order.remove(max(patients, key=slices.__getitem__))
    chosen = dict.fromkeys(patients, TRAIN)
    chosen |= dict.fromkeys(_until(order, slices, test), TEST)
    left = [patient for patient in order if chosen[patient] == TRAIN]
    tenth = (sum(slices.values()) - sum(slices[p] for p in chosen if chosen[p] == TEST)) // 10
    return chosen | dict.fromkeys(
        _until(left, slices, min(MAX_VALIDATION, max(tenth, 1))), VALIDATION
    )


def _until(order: list[str], slices: Mapping[str, int], wanted: int) -> list[str]:
    """The first patients who have the wanted slices together."""
    total, taken = 0, []
    for patient in order:
        if total >= wanted:
            break
        taken.append(patient)
        total += slices[patient]
    return taken
