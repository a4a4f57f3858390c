"""Train priornet on pairs of recipes/prior_pairs.py: python recipes/prior_net.py PAIRS OUT

Stages, each of which is left out where its result is in OUT already (delete the later ones, too,
to do one again): the segmenter on crops of the
pairs; LI and NMAR of all pairs, in frames; the generator on these; what the rays make of its
priors, in frames; the refiner on these. OUT/weights then holds all three networks and their card.
A length is a number of steps, or of minutes (28m). The defaults made the weights in the package,
on one core each; a GPU should have more of everything (recipes/QUEUE.md).
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from prior_frames import COMPLETED, CORRECTED, Frames, completed_frame, corrected_frame, make_frames
from prior_steps import (
    draw_crops,
    generator_loss,
    image_scores,
    metal_scores,
    refiner_loss,
    segmenter_loss,
)
from safetensors.torch import load_file, save_file
from torch import Tensor

from unmetal.cohorts.pairs import Pair
from unmetal.device import choose_device
from unmetal.errors import InputError
from unmetal.methods.prior_net import Config, PriorNet
from unmetal.software import provenance
from unmetal.training.muon import Muon
from unmetal.weights import checkpoint

WARM_UP = 50
"""Steps over which the learning rate rises."""

FALL = 0.6
"""Share of a stage, at its end, over which the learning rate falls to 0."""

LR = {"segmenter": 1.5e-3, "generator": 0.02, "refiner": 0.02}
"""Of Adam for the segmenter; of Muon for the convolutions of the others, whose rest has `ADAM_LR`
(docs/priornet.md says why)."""

ADAM_LR, BETAS, CLIP = 1e-3, (0.9, 0.99), 1.0

SETS = {
    "train": "train_broad_*.npz",
    "validation": "validation_broad_*.npz",
    "flat": "validation_flat_*.npz",
}
"""Names of the pairs of each set; `flat` may be missing."""


@dataclass(frozen=True)
class Length:
    """How long a stage takes; one of the two is 0."""

    steps: int = 0
    minutes: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Length":
        """`1400` is steps, `28m` minutes; raises `ValueError` for anything else."""
        length = cls(minutes=float(text[:-1])) if text.endswith("m") else cls(steps=int(text))
        if max(length.steps, length.minutes) <= 0:
            raise ValueError(f"{text}: not a number of steps or minutes")
        return length

    def used(self, step: int, seconds: float) -> float:
        """The share that is over."""
        return step / self.steps if self.steps else seconds / 60 / self.minutes


@dataclass(frozen=True)
class Settings:
    """How long and on how much each network is trained."""

    segmenter: Length
    generator: Length
    refiner: Length
    segmenter_batch: int = 6
    batch: int = 3
    crop: int = 160
    seed: int = 0


class Run:
    """A folder with the stages that are done, and what is known of them."""

    def __init__(self, out: Path, settings: Settings, config: Config, device: torch.device) -> None:
        self.out, self.settings, self.device = out, settings, device
        torch.manual_seed(settings.seed)
        self.method = PriorNet(config).to(device)
        self.seen: dict[str, int] = {}

    def stage(self, name: str, batch: int, loss: Callable[[np.random.Generator], Tensor]) -> None:
        """Train one network by `loss`, of a batch that it draws itself, or take what is there."""
        path, network = self.out / f"{name}.safetensors", self.method.get_submodule(name)
        if path.exists():
            state = load_file(path)
            self.seen[name] = int(state.pop("samples"))
            network.load_state_dict(state)
        else:
            self.seen[name] = batch * self._fit(name, loss, getattr(self.settings, name))
            samples = {"samples": torch.tensor(self.seen[name])}
            save_file(network.state_dict() | samples, path.with_suffix(".partial"))
            path.with_suffix(".partial").replace(path)
        network.eval().requires_grad_(False)

    def _fit(self, name: str, loss: Callable[[np.random.Generator], Tensor], length: Length) -> int:
        """The number of steps that were taken."""
        parameters = list(self.method.get_submodule(name).parameters())
        optimizer: torch.optim.Optimizer
        if name == "segmenter":
            optimizer = torch.optim.Adam(parameters, LR[name])
        else:
            optimizer = Muon(parameters, LR[name], ADAM_LR, BETAS)
        rates = [group["lr"] for group in optimizer.param_groups]
        rng, start, step, total = (
            np.random.default_rng(self.settings.seed),
            time.monotonic(),
            0,
            0.0,
        )
        while (used := length.used(step, time.monotonic() - start)) < 1:
            scale = min(1, (step + 1) / WARM_UP) * min(1, (1 - used) / FALL)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * scale
            error = loss(rng)
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            if name == "segmenter":
                # Muon's steps have a size of their own.
                torch.nn.utils.clip_grad_norm_(parameters, CLIP)
            optimizer.step()
            step, total = step + 1, total + error.item()
            if step % WARM_UP == 0:
                print(f"{name}: {step} steps, loss {total / WARM_UP:.4f}", flush=True)
                total = 0.0
        return step

    def batches(
        self, paths: list[Path], names: tuple[str, ...]
    ) -> Callable[[np.random.Generator], dict[str, Tensor]]:
        """`batch(rng)` of these frames, on the device."""
        frames = Frames(paths, names)

        def batch(rng: np.random.Generator) -> dict[str, Tensor]:
            drawn = frames.draw(rng, self.settings.batch)
            return {name: image.to(self.device) for name, image in drawn.items()}

        return batch


def main(
    pairs: Path, out: Path, settings: Settings, config: Config, device: torch.device
) -> dict[str, Any]:
    """Run all stages that are not done yet; returns the card of the weights."""
    paths = {name: sorted(pairs.glob(pattern)) for name, pattern in SETS.items()}
    for name in ("train", "validation"):
        if not paths[name]:
            raise InputError(f"{pairs}: no {SETS[name]}; recipes/prior_pairs.py makes them")
    out.mkdir(parents=True, exist_ok=True)
    run = Run(out, settings, config, device)
    train_segmenter(run, paths["train"])
    train_generator(run, paths["train"])
    completed = train_refiner(run, paths)
    card = {
        "method": "priornet",
        "method_config": asdict(config),
        "training": asdict(settings) | {"lr": LR, "adam_lr": ADAM_LR},
        "samples": run.seen["generator"],
        "samples_of_each": run.seen,
        "pairs": {name: len(some) for name, some in paths.items()},
        "patients": {name: patients_of(some) for name, some in paths.items()},
        "validation": validate(run.method.to("cpu"), paths, completed),
        "hardware": f"{device}, {torch.get_num_threads()} threads",
        **provenance(),
    }
    checkpoint.save(out / "weights" / "priornet", run.method.state_dict(), card)
    return card


def train_segmenter(run: Run, paths: list[Path]) -> None:
    """On crops of the pairs, at their own pixels."""
    settings = run.settings
    pairs = [Pair.load(path) for path in paths]

    def loss(rng: np.random.Generator) -> Tensor:
        hu, metal = draw_crops(pairs, rng, settings.segmenter_batch, settings.crop)
        return segmenter_loss(run.method, hu.to(run.device), metal.to(run.device))

    run.stage("segmenter", settings.segmenter_batch, loss)


def train_generator(run: Run, paths: list[Path]) -> None:
    """On LI, NMAR and the fitted image of the pairs."""
    # Sinograms are computed on a CPU: a frame at a time would not fill a GPU.
    run.method.to("cpu")
    make = partial(corrected_frame, method=run.method)
    frames = make_frames(paths, run.out / "corrected", make)
    run.method.to(run.device)
    draw = run.batches(frames, CORRECTED)
    run.stage("generator", run.settings.batch, lambda rng: generator_loss(run.method, draw(rng)))


def train_refiner(run: Run, paths: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """On what comes out of the completion; returns those frames of every set."""
    run.method.to("cpu")
    make = partial(completed_frame, method=run.method)
    completed = {
        name: make_frames(some, run.out / "completed", make) for name, some in paths.items()
    }
    run.method.to(run.device)
    draw = run.batches(completed["train"], COMPLETED)
    run.stage("refiner", run.settings.batch, lambda rng: refiner_loss(run.method, draw(rng)))
    return completed


def validate(
    method: PriorNet, paths: dict[str, list[Path]], completed: dict[str, list[Path]]
) -> dict[str, Any]:
    """What the networks reach on patients that none of them has seen, by set."""
    scores = {}
    for name in ("validation", "flat"):
        if paths[name]:
            metal = metal_scores(method, [Pair.load(path) for path in paths[name]])
            images = image_scores(method, Frames(completed[name], COMPLETED))
            scores[name] = {"metal": metal, "images": images}
            print(f"{name}: {scores[name]}")
    return scores


def patients_of(paths: list[Path]) -> list[str]:
    """Sorted."""
    return sorted({Pair.load(path).info["patient"] for path in paths})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    for name, length in (("segmenter", "1300"), ("generator", "60m"), ("refiner", "60m")):
        parser.add_argument(f"--{name}", type=Length.parse, default=Length.parse(length))
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=Config.width)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    chosen = Settings(
        given.segmenter, given.generator, given.refiner, batch=given.batch, seed=given.seed
    )
    try:
        device = choose_device(given.device)
        main(given.pairs, given.out, chosen, Config(width=given.width), device)
    except InputError as error:
        sys.exit(str(error))
