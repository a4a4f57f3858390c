"""A training run from beginning to end: data, loop, validation, log, checkpoints."""

import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from unmetal.device import choose_device, init_distributed
from unmetal.software import commit
from unmetal.training.dataset import Judge, gather
from unmetal.training.experiment import Experiment
from unmetal.training.loop import Training, pace
from unmetal.training.run_folder import Run
from unmetal.training.validation import headline
from unmetal.weights import checkpoint

LOG_EVERY = 50
"""Steps between lines of the log: reading a loss waits for the GPU."""


def train(
    experiment: Experiment,
    data: Path,
    folder: Path,
    *,
    device: str = "auto",
    start: Path | None = None,
    minutes: float | None = None,
    shapes: Path | None = None,
) -> dict[str, float]:
    """Train an experiment, or go on with one that was interrupted; returns the last validation. A
    run that has seen all its samples stays as it is.

    data: a cohort (`Cohort.load`, `Prepared.load`).
    folder: the run folder; one with a state in it is resumed.
    start: weights to begin with instead. minutes: stop, resumable, when this much time is over.
    shapes: metal to simulate with, where the cohort has none.
    Raises `InputError` if data, state or weights cannot be used.
    """
    started = time.monotonic()
    on = choose_device(device)
    rank, _ = init_distributed(on)
    config = experiment.training
    torch.manual_seed(config.seed)
    material = gather(experiment.data, data, shapes, config.seed, on)
    training = Training(experiment.build(), config, on)
    run = Run(folder, writes=rank == 0)
    if state := run.state():
        training.resume(state)
        if training.seen >= config.samples:
            return checkpoint.read_card(folder / "weights")["validation"]
    elif start is not None:
        held, card = checkpoint.load(start)
        training.start_from(held, card.get("samples", 0))
    run.explain(experiment, data=material.who, device=str(on), resumed_at=training.seen)
    validation = material.judge()
    run.log(samples=training.seen, before=validation.before)
    report = Report(run, training, validation, experiment)
    since, begun = time.monotonic(), training.seen
    with report.bar:
        for losses in training.run(material.samples):
            report.tick(losses, pace(training.seen - begun, since))
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                break
        return report.latest if report.validated == training.seen else report.validate()


class Report:
    """What is said and kept while training runs."""

    def __init__(
        self, run: Run, training: Training, validation: Judge, experiment: Experiment
    ) -> None:
        self.run, self.training, self.validation = run, training, validation
        self.experiment, self.config = experiment, training.config
        self.validated, self.latest = training.seen, validation.before
        self.bar = Progress(
            TextColumn("{task.completed:>7.0f} samples"),
            BarColumn(),
            TextColumn("{task.fields[pace]:6.2f}/s  {task.fields[found]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            disable=not (run.writes and sys.stderr.isatty()),
        )
        self.task = self.bar.add_task(
            "",
            total=self.config.samples,
            completed=training.seen,
            pace=0.0,
            found=headline(validation.before),
        )

    def tick(self, losses: dict[str, torch.Tensor], pace: float) -> None:
        """After every step."""
        seen, batch = self.training.seen, self.config.batch
        self.bar.update(self.task, completed=seen, pace=pace)
        if seen // batch % LOG_EVERY == 0:
            values = {name: float(loss) for name, loss in losses.items()}
            if not all(map(math.isfinite, values.values())):
                raise FloatingPointError(f"training diverged before sample {seen}: {values}")
            self.run.log(samples=seen, pace=round(pace, 3), losses=values)
        if seen - self.validated >= self.config.validate_every:
            self.validate()

    def validate(self) -> dict[str, float]:
        """Validate, log, save."""
        self.validated = seen = self.training.seen
        result = self.training.result
        self.latest = found = self.validation(result)
        self.bar.update(self.task, found=headline(found))
        self.run.log(samples=seen, validation=found)
        if self.run.writes and self.bar.disable:
            print(f"{seen} samples: {headline(found)}", flush=True)
        self.run.show(f"{seen:07}", self.validation.pictures(result))
        self.run.save(self.training, self.card(found))
        return found

    def card(self, found: dict[str, float]) -> dict[str, Any]:
        """What goes with the weights."""
        return {
            "method": self.experiment.method,
            "method_config": asdict(self.experiment.method_config),
            "data": asdict(self.experiment.data),
            "training": asdict(self.config),
            "samples": self.training.seen,
            "validation": found,
            "before": self.validation.before,
            "commit": commit(),
            "use": "research only",
        }
