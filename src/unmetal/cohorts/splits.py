"""Who is trained on, who validates, who is withheld: by patient, drawn with a seed.

The released code withholds patients with less than 100 files until it has 200; its halves hold
affected and clean slices of the same patients. Here no patient is on two sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

TRAIN, VALIDATION, TEST = "train", "validation", "test"


FEW = 100
"""A patient with fewer slices is withheld before one with more. Source: released code."""


VALIDATES = 100
"""Slices that validation has at most, and a tenth of what is left: it costs time."""


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
    draw = np.random.default_rng(seed)
    affected = {patient: c.affected for patient, c in counts.items() if c.affected}
    clean = {patient: c.clean for patient, c in counts.items() if c.clean and not c.affected}
    if not affected:
        return _drawn(clean, draw, _enough(clean, withhold))
    tenth = sum(clean.values()) // 10
    return _drawn(affected, draw, _enough(affected, withhold)) | _drawn(clean, draw, tenth)


def in_halves(counts: Mapping[str, Counts]) -> dict[str, str]:
    """`affected` or `clean` for each patient that is trained on: which slices of him are used.

    Who has both kinds goes, those with most first, to the half that weighs less so far; a patient
    weighs the square root of his slices, as in `unmetal.cohorts.splits.in_two_halves`.
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


def _enough(slices: Mapping[str, int], withhold: int) -> int:
    total = sum(slices.values())
    return withhold if total > withhold else total // 5


def _drawn(slices: Mapping[str, int], draw: np.random.Generator, test: int) -> dict[str, str]:
    """Test patients until there are `test` slices, then validation, the rest is trained on."""
    patients = list(slices)
    order = [patients[i] for i in draw.permutation(len(patients))]
    order.sort(key=lambda patient: slices[patient] >= FEW)  # stable: shuffled within both
    if order:
        order.remove(max(patients, key=slices.__getitem__))
    chosen = dict.fromkeys(patients, TRAIN)
    chosen |= dict.fromkeys(_until(order, slices, test), TEST)
    left = [patient for patient in order if chosen[patient] == TRAIN]
    tenth = (sum(slices.values()) - sum(slices[p] for p in chosen if chosen[p] == TEST)) // 10
    return chosen | dict.fromkeys(_until(left, slices, min(VALIDATES, max(tenth, 1))), VALIDATION)


def _until(order: list[str], slices: Mapping[str, int], wanted: int) -> list[str]:
    """Patients from the front until they have the wanted slices."""
    total, taken = 0, []
    for patient in order:
        if total >= wanted:
            break
        taken.append(patient)
        total += slices[patient]
    return taken


def in_two_halves(slices: Mapping[str, int], validation: Iterable[str] = ()) -> dict[str, str]:
    """The role of every patient, given how many slices each has.

    Patients go, largest first, to whichever of `affected` and `clean` weighs less so far, as the
    paper gives one half of its data for affected and the other for clean images; those named in
    `validation` to neither. A patient weighs the square root of its slices, as in
    `samples.Config.by_patient`: by slices alone one whole-body scan would be a half by itself.
    """
    roles = dict.fromkeys(validation, "validation")
    weight = {"affected": 0.0, "clean": 0.0}
    for patient in sorted(slices.keys() - roles.keys(), key=lambda p: (-slices[p], p)):
        role = min(weight, key=weight.__getitem__)
        roles[patient] = role
        weight[role] += slices[patient] ** 0.5
    return roles
