"""`unmetal weights`: the trained networks that came with the package."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class Weights:
    """List the released weights; with a name, show its card; with --verify, check every hash."""

    name: tyro.conf.Positional[str | None] = None
    """Released weights or a method that has some, or a weights file, its folder or a run folder."""

    verify: bool = False
    """Read everything and compare its hash with the one stored; exit 1 if anything is damaged."""

    def run(self) -> None:
        """Print; raises `InputError`."""
        from unmetal.methods import all_methods  # noqa: PLC0415
        from unmetal.weights import checkpoint  # noqa: PLC0415
        from unmetal.weights.load import released, resolve_weights  # noqa: PLC0415

        defaults = {entry.weights for entry in all_methods().values()}
        names = released() if self.name is None else [self.name]
        if not names:
            print("no weights come with this version")
        width = max(map(len, names), default=0)
        for name in names:
            path: Path = resolve_weights(name)
            card = checkpoint.load(path)[1] if self.verify else checkpoint.read_card(path)
            size = sum(part.stat().st_size for part in checkpoint.parts_of(path)) / 2**20
            said = [card["method"], f"{card['samples']} samples", f"{size:.1f} MiB"]
            said += ["default"] * (name in defaults) + ["verified"] * self.verify
            shown = path.name if path.name in released() else name
            print(f"{shown:<{width}}  {', '.join(said)}")
        if self.name is not None and not self.verify:
            text = path / "card.md"
            print(text.read_text() if text.is_file() else card)
