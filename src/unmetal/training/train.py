"""A training run: data, loop, validation, log, checkpoints."""

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
from unmetal.methods import adn
from unmetal.software import commit
from unmetal.training.dataset import build_training_data
from unmetal.training.experiment import Experiment
from unmetal.training.loop import Training
from unmetal.training.run_folder import RunFolder
from unmetal.training.validation import Validator, headline
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
    """Train an experiment, or resume one that was interrupted; returns the last validation.

    A run that has seen all its samples stays as it is.

    data: a cohort (`Cohort.load`, `Prepared.load`).
    folder: the run folder; one with a state in it is resumed.
    start: weights to begin with instead. minutes: stop, resumable, after this much time.
    shapes: metal to simulate with, where the cohort has none.
    Raises `InputError` if data, state or weights cannot be used.
    """
    started = time.monotonic()
    on = choose_device(device)
    rank, _ = init_distributed(on)
    config = experiment.training
    torch.manual_seed(config.seed)
    source = build_training_data(experiment.data, data, shapes, config.seed, on)
    training = Training(experiment.build(), config, on)
    # Resume a state, or begin with weights, or with initial values.
    run = RunFolder(folder, writes=rank == 0)
    if state := run.state():
        training.resume(state)
        if training.seen >= config.samples:
            return checkpoint.read_card(folder / "weights")["validation"]
    elif start is not None:
        weights, card = checkpoint.load(start)
        seen = card.get("samples", 0)
        method_config = experiment.method_config
        disentangles = isinstance(method_config, adn.Config) and not method_config.autoencoder
        if disentangles and card["method_config"].get("autoencoder"):
            # Another task with a schedule of its own: its samples do not count.
            weights, seen = adn.after_autoencoder(weights), 0
        if isinstance(method_config, adn.Config) and method_config.distill:
            weights, seen = adn.with_teacher(weights), 0
        training.start_from(weights, seen)
    run.write_config(experiment, data=source.patients, device=str(on), resumed_at=training.seen)
    validator = source.validator()
    run.log(samples=training.seen, before=validator.before)
    logger = TrainingLogger(run, training, validator, experiment)
    begun, since = training.seen, time.monotonic()
    with logger.bar:
        for losses in training.run(source.samples):
            now = time.monotonic()
            logger.after_step(losses, (training.seen - begun) / (now - since))
            if minutes is not None and now - started > 60 * minutes:
                break
        return logger.latest if logger.validated == training.seen else logger.validate()


class TrainingLogger:
    """Progress bar, log, validations and checkpoints while training runs."""

    def __init__(
        self, run: RunFolder, training: Training, validator: Validator, experiment: Experiment
    ) -> None:
        self.run, self.training, self.validator = run, training, validator
        self.experiment, self.config = experiment, training.config
        self.validated, self.latest = training.seen, validator.before
        self.bar = Progress(
            TextColumn("{task.completed:>7.0f} samples"),
            BarColumn(),
            TextColumn("{task.fields[rate]:6.2f}/s  {task.fields[headline]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            disable=not (run.writes and sys.stderr.isatty()),
        )
        self.task = self.bar.add_task(
            "",
            total=self.config.samples,
            completed=training.seen,
            rate=0.0,
            headline=headline(validator.before),
        )

    def after_step(self, losses: dict[str, torch.Tensor], rate: float) -> None:
        """Show and log the losses; validate where it is due. `rate` is samples per second.

        Raises `FloatingPointError` for losses that are not finite.
        """
        seen, batch = self.training.seen, self.config.batch
        self.bar.update(self.task, completed=seen, rate=rate)
        if seen // batch % LOG_EVERY == 0:
            values = {name: float(loss) for name, loss in losses.items()}
            if not all(map(math.isfinite, values.values())):
                raise FloatingPointError(f"training diverged before sample {seen}: {values}")
            self.run.log(samples=seen, samples_per_second=round(rate, 3), losses=values)
        if seen - self.validated >= self.config.validate_every:
            self.validate()

    def validate(self) -> dict[str, float]:
        """Validate, log, save."""
        self.validated = seen = self.training.seen
        result = self.training.result
        self.latest = metrics = self.validator(result)
        self.bar.update(self.task, headline=headline(metrics))
        self.run.log(samples=seen, validation=metrics)
        if self.run.writes and self.bar.disable:
            print(f"{seen} samples: {headline(metrics)}", flush=True)
        self.run.save_images(f"{seen:07}", self.validator.pictures(result))
        self.run.save(self.training, self.card(metrics))
        return metrics

    def card(self, metrics: dict[str, float]) -> dict[str, Any]:
        """The card of the weights, see `weights.checkpoint`."""
        return {
            "method": self.experiment.method,
            "method_config": asdict(self.experiment.method_config),
            "data": asdict(self.experiment.data),
            "training": asdict(self.config),
            "samples": self.training.seen,
            "validation": metrics,
            "before": self.validator.before,
            "commit": commit(),
            "use": "research only",
        }
