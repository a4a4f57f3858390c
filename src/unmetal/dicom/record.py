"""What is known of a series beside its images: a small JSON file in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from unmetal.dicom import durable

FILE = "record.json"


@dataclass(frozen=True)
class Record:
    """Survives a crash; replaced as a whole."""

    attempts: int = 0
    """Reductions begun. One that kills its process is not tried for ever."""

    warnings: tuple[str, ...] = ()
    """Named warnings, in order."""

    seconds: float = 0.0
    """What the reduction took."""

    def warned(self, *warnings: str) -> Record:
        """With further warnings, each once."""
        return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, *warnings))))

    def save(self, folder: Path) -> None:
        """Keep it in a series' folder."""
        durable.write(folder / FILE, json.dumps(asdict(self), indent=1).encode())


def load(folder: Path) -> Record:
    """The record of a series' folder; a new one where there is none, or a damaged one."""
    try:
        held = json.loads((folder / FILE).read_text())
        known = {field.name: held[field.name] for field in fields(Record) if field.name in held}
        return Record(**known | {"warnings": tuple(known.get("warnings", ()))})
    except (OSError, ValueError, TypeError):
        return Record()
