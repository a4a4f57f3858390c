"""`unmetal train`: train an experiment, or resume one."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from unmetal.errors import InputError
from unmetal.training.experiment import Experiment
from unmetal.training.presets import find_experiment
from unmetal.training.train import train
from unmetal.training.validation import headline


@dataclass(frozen=True)
class Train:
    """Train a method. A run folder that already holds a state is resumed."""

    experiment: tyro.conf.Positional[str]
    """Name of a preset, see src/unmetal/training/presets.py; or the config.json of a run."""

    data: Path
    """The cohort: `cohort.npz`, the folder that holds it, or what `unmetal prepare` wrote."""

    out: Path | None = None
    """The run folder."""

    shapes: Path | None = None
    """Metal to put into the clean slices of a prepared cohort: an .npz with `masks`, bool [n S S],
    or a cohort of recipes/syn_cohort.py."""

    samples: int | None = None
    """Train on this many samples in all; as the preset says otherwise."""

    minutes: float | None = None
    """Stop after this long; --resume goes on."""

    device: str = "auto"
    """auto, cpu or cuda."""

    resume: Path | None = None
    """A run folder to resume."""

    weights: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Weights to start from."""

    def run(self) -> None:
        """Train and print the result on validation patients; raises `InputError`."""
        folder = self.resume or self.out
        if folder is None:
            raise InputError("say where: --out RUN, or --resume RUN")
        if self.resume is not None and not (self.resume / "state.pt").exists():
            raise InputError(f"{self.resume}: no state to resume")
        experiment = load_experiment(self.experiment)
        if self.samples is not None:
            training = replace(experiment.training, samples=self.samples)
            experiment = replace(experiment, training=training)
        found = train(
            experiment,
            self.data,
            folder,
            device=self.device,
            start=self.weights,
            minutes=self.minutes,
            shapes=self.shapes,
        )
        print(f"{folder}: {headline(found)} on validation patients")


def load_experiment(name: str) -> Experiment:
    """A preset by its name, or the experiment of a run by the path of its config.json; raises
    `InputError`."""
    if not name.endswith(".json"):
        return find_experiment(name)
    try:
        return Experiment.of(json.loads(Path(name).read_text())["experiment"])
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name}: not the config.json of a run") from error
