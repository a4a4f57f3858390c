"""`unmetal weights`: the trained networks that came with the package."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Weights:
    """List the released weights; with a name, show its card; with --verify, check every hash."""

    name: tyro.conf.Positional[str | None] = None
    """Released weights, or the path of a weights file, its folder or a run folder."""

    verify: bool = False
    """Read everything and compare its hash with the one stored; exit 1 if anything is damaged."""

    def run(self) -> None:
        """Print; raises `InputError`."""
        from unmetal.methods import METHODS  # noqa: PLC0415
        from unmetal.weights import checkpoint  # noqa: PLC0415
        from unmetal.weights.load import found, released  # noqa: PLC0415

        defaults = {entry.weights for entry in METHODS.values()}
        names = released() if self.name is None else [self.name]
        if not names:
            print("no weights come with this version")
        for name in names:
            path: Path = found(name)
            card = checkpoint.load(path)[1] if self.verify else checkpoint.read_card(path)
            size = sum(part.stat().st_size for part in checkpoint.parts_of(path)) / 2**20
            facts = [card["method"], f"{card['samples']} samples", f"{size:.1f} MiB"]
            facts += ["default"] * (name in defaults) + ["verified"] * self.verify
            print(f"{name}  {', '.join(facts)}")
        if self.name is not None and not self.verify:
            text = path / "card.md"
            print(text.read_text() if text.is_file() else card)
