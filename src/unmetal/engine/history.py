"""How a training went, from the log of its run folder."""

import json
from pathlib import Path
from typing import NamedTuple

from unmetal.errors import InputError


class History(NamedTuple):
    """Validations of one run."""

    samples: list[int]
    """Rising: what a resumed run did again counts once."""

    metrics: dict[str, list[float]]
    """Metric -> its mean over the validation slices, at each of `samples`."""

    before: dict[str, float]
    """The same of the input."""


def history(run: Path) -> History:
    """What `log.jsonl` of a run folder says; raises `InputError` where there is nothing to see."""
    path = run / "log.jsonl"
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the log of a training run") from error
    found: dict[int, dict[str, float]] = {}
    before: dict[str, float] = {}
    for line in lines:
        before = line.get("before", before)
        if "before" in line:
            # It begins again at its last checkpoint, which may lie before what was logged.
            found = {samples: one for samples, one in found.items() if samples <= line["samples"]}
        if "validation" in line:
            found[line["samples"]] = line["validation"]
    if not found:
        raise InputError(f"{path}: has no validation in it yet")
    samples = sorted(found)
    names = found[samples[-1]]
    metrics = {name: [found[seen].get(name, float("nan")) for seen in samples] for name in names}
    return History(samples, metrics, before)
