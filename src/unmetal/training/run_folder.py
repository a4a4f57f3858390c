"""A run folder: the resolved configuration, the log, pictures, weights and the state to resume.

config.json   the resolved experiment, command, commit, versions, and the patients of each half
log.jsonl     one JSON object a line: samples seen, losses, samples per second, validation
tensorboard/  the same for TensorBoard, where it is installed
images/       input, output and truth of the first validation slices
weights/      safetensors with a card; of the averaged networks where there are any
best/         the same of the validation with the highest PSNR so far
state.pt      everything that resuming needs
"""

import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unmetal.errors import InputError
from unmetal.software import provenance
from unmetal.training.loop import Training
from unmetal.weights import checkpoint


class RunFolder:
    """Writes a run folder; on ranks other than 0 with `writes=False`, which does nothing."""

    def __init__(self, folder: Path, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        if writes:
            (folder / "images").mkdir(parents=True, exist_ok=True)

    @cached_property
    def board(self) -> Any:
        """A TensorBoard writer where tensorboard is installed; None where it is not."""
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (optional, slow)
        except ImportError:
            return None
        return SummaryWriter(str(self.folder / "tensorboard"))

    def write_config(self, experiment: Any, **more: Any) -> None:
        """Write config.json: a dataclass `experiment`, provenance, and further facts."""
        if self.writes:
            text = json.dumps({"experiment": asdict(experiment), **provenance(), **more}, indent=1)
            (self.folder / "config.json").write_text(text + "\n")

    def log(self, **facts: Any) -> None:
        """Append one line to log.jsonl."""
        if not self.writes:
            return
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(facts) + "\n")
        if self.board is not None:
            for kind in ("losses", "validation"):
                for name, value in facts.get(kind, {}).items():
                    self.board.add_scalar(f"{kind}/{name}", value, facts["samples"])

    def save_images(self, name: str, rows: list[Tensor]) -> None:
        """Write images/NAME.png: rows of slices `[B 1 H W]`, in [0, 1]."""
        if self.writes:
            # Rows of [B 1 H W]: slices side by side, rows below each other.
            grid = torch.cat([torch.cat(list(row[:, 0]), dim=1) for row in rows], dim=0)
            pixels = (grid.clamp(0, 1) * 255).round().byte().cpu().numpy()
            Image.fromarray(np.asarray(pixels)).save(self.folder / "images" / f"{name}.png")
            if self.board is not None:
                self.board.add_image("validation", pixels, int(name), dataformats="HW")

    def save(self, training: Training, card: checkpoint.Card) -> None:
        """Write weights and state; older files are replaced only by complete ones."""
        if not self.writes:
            return
        checkpoint.save(self.folder / "weights" / "weights", training.result.state_dict(), card)
        if self.is_best(card["validation"]):
            checkpoint.save(self.folder / "best" / "weights", training.result.state_dict(), card)
        partial = self.folder / "state.partial"
        torch.save(training.state(), partial)
        partial.replace(self.folder / "state.pt")

    def is_best(self, metrics: dict[str, float]) -> bool:
        """Whether a validation's PSNR is above that of best/; False where it has none."""
        best = self.folder / "best"
        if "psnr" not in metrics or not best.exists():
            return "psnr" in metrics
        return metrics["psnr"] > checkpoint.read_card(best)["validation"]["psnr"]

    def state(self) -> dict | None:
        """The saved state, None if there is none yet; raises `InputError` if it is damaged."""
        path = self.folder / "state.pt"
        if not path.exists():
            return None
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, OSError, EOFError, ValueError) as error:
            raise InputError(f"{path}: damaged; start from weights with --from") from error
