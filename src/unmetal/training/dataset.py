"""Training samples and a validation, from whichever cohort a run is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from unmetal.cohorts import samples, unpaired
from unmetal.cohorts.cohort import ROLES, Cohort
from unmetal.cohorts.prepared import Prepared, is_prepared
from unmetal.errors import InputError, short_error
from unmetal.training import loop
from unmetal.training.validation import PairedValidator, UnpairedValidator, Validator


@dataclass(frozen=True)
class TrainingData:
    """Training samples and the validation that belongs to them."""

    samples: loop.SampleSource

    validator: Callable[[], Validator]
    """Makes the validation, which takes seconds."""

    patients: dict[str, list[str]]
    """The patients of each role or split."""


def build_training_data(
    config: samples.Config | unpaired.Config,
    data: Path,
    shapes: Path | None,
    seed: int,
    device: torch.device,
) -> TrainingData:
    """Samples as configured from a cohort; raises `InputError` where it has no such slices.

    shapes: metal to simulate with, for prepared cohorts, which have none of their own.
    """
    if isinstance(config, unpaired.Config):
        prepared = Prepared.load(data)
        prepared.slices_of("affected", "validation")
        source = unpaired.Unpaired(prepared, config, seed, device)
        return TrainingData(
            source, lambda: UnpairedValidator(prepared, config, device), prepared.patients()
        )
    cohort = simulated_on(data, shapes)
    simulated = samples.Samples(cohort, config, seed, device)
    patients = {role: sorted(set(cohort.patient[cohort.role == role].tolist())) for role in ROLES}
    return TrainingData(simulated, lambda: PairedValidator(simulated), patients)


def simulated_on(data: Path, shapes: Path | None) -> Cohort:
    """The cohort to put metal into: one with shapes of its own, or a prepared one with `shapes`."""
    if not is_prepared(data):
        if shapes is not None:
            raise InputError("--shapes is for cohorts of `unmetal prepare`: leave it away")
        return Cohort.load(data)
    if shapes is None:
        raise InputError(
            f"{data}: holds no metal to put into its slices: give --shapes, an .npz with `masks`"
        )
    return Prepared.load(data).simulated(*metal_shapes(shapes))


def metal_shapes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Shapes and which of them are whole frames, as in `Cohort`: of an .npz that has these, or
    `masks`, bool `[n S S]`, each a whole frame with metal where it belongs."""
    try:
        with np.load(path, allow_pickle=False) as held:
            if "masks" in held:
                masks = (held["masks"] > 0).astype(np.uint8) * 255
                return masks, np.ones(len(masks), bool)
            return held["shapes"], held["whole"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{path}: no shapes of metal ({short_error(error)}): give an .npz with `masks`, bool "
            "[n S S], or a cohort of recipes/syn_cohort.py"
        ) from error
