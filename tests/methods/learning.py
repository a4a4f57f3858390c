"""Two scans to learn from, and learning them by heart."""

from dataclasses import fields, replace
from functools import cache

import torch
from hips import scanned

from unmetal.methods.method import Method
from unmetal.scan import Scan
from unmetal.training.loop import Config, Training


@cache
def pair(size: int = 48) -> Scan:
    """Titanium and iron in the same patient, `[2 1 H W]`, in single precision."""
    both = [scanned(metal, size).scan for metal in ("ti", "fe")]
    known = ("image", "metal", "sinogram", "trace", "clean")
    joined = {name: torch.cat([getattr(scan, name) for scan in both]) for name in known}
    single = {name: x.float() if x.is_floating_point() else x for name, x in joined.items()}
    return replace(both[0], **single)


def one(scan: Scan, index: int) -> Scan:
    """A slice of a batch."""
    tensors = {field.name: getattr(scan, field.name) for field in fields(Scan)}
    return replace(
        scan, **{name: x[index : index + 1] for name, x in tensors.items() if torch.is_tensor(x)}
    )


def losses(method: Method, config: Config, scan: Scan) -> list[dict[str, float]]:
    """Every step's losses when the same batch is seen again and again."""
    training = Training(method, config, torch.device("cpu"))
    steps = training.run(lambda first, count: scan)
    return [{name: loss.item() for name, loss in said.items()} for said in steps]
