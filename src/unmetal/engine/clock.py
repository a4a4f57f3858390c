"""How long something takes, and on what."""

import time
from collections.abc import Callable
from typing import TypeVar

import torch

Made = TypeVar("Made")


def timed(make: Callable[[], Made], device: torch.device) -> tuple[Made, float]:
    """What `make` returns, and the seconds until the device had done it."""
    wait_for(device)
    begun = time.perf_counter()
    made = make()
    wait_for(device)
    return made, time.perf_counter() - begun


def wait_for(device: torch.device) -> None:
    """A GPU answers before it has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def described(device: torch.device) -> str:
    """`CPU, 1 thread`, or the name of the GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
