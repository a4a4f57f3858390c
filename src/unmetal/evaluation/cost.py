"""What one slice costs a method, in time and memory.

    python -m unmetal.evaluation.cost METHOD [cpu|cuda] [DOWNSAMPLE]

prints seconds and MiB of one slice as JSON; see `cost`.
"""

import json
import logging
import math
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import torch

from unmetal.device import choose_device, timed
from unmetal.errors import InputError
from unmetal.evaluation.results import method_input
from unmetal.methods.method import Method
from unmetal.physics.derive import complete
from unmetal.physics.protocol import PROTOCOLS
from unmetal.scan import Scan
from unmetal.units import MU_WATER
from unmetal.weights.load import load_method

log = logging.getLogger("unmetal")

PATIENCE = 10.0
"""Seconds: what takes longer is not timed again."""

LIMIT = 300.0
"""Seconds after which the process is killed and the cost given up."""


class Cost(NamedTuple):
    """What one slice takes."""

    seconds: float
    mib: float


def cost(name: str, device: str, downsample: int = 1) -> Cost | None:
    """Seconds and memory of one slice of the ADN protocol, in a process that does nothing else.

    On a GPU the memory is what PyTorch holds at most while `reduce` runs, weights included. On a
    CPU it is the most that the process was given, Python, PyTorch (about 200 MiB) and, for methods
    that project, the scanner's matrix included. The time is that of the third call, or of the first
    that takes longer than `PATIENCE`. None, with a warning, where it fails.
    """
    command = [sys.executable, "-m", "unmetal.evaluation.cost", name, device, str(downsample)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT)
        return Cost(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"more than {LIMIT:g} s for a slice"
    log.warning("%s on %s: cost not measured: %s", name, device, reason)
    return None


def measure(method: Method, device: torch.device, downsample: int = 1) -> Cost:
    """`cost`, in this process: the peak of memory counts what was held before, too."""
    pixel = 10 * PROTOCOLS["adn"].scanner.grid.pixel
    scan, fields, pixel = method_input(method, phantom(device), downsample, pixel)
    method = method.to(device).eval()
    with torch.inference_mode():
        given = complete(scan, fields, pixel)
        # The first call also loads kernels and builds the scanner's matrix.
        for _ in range(3):
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            _, seconds = timed(lambda: method.reduce(given), device)
            if seconds > PATIENCE:
                break
    return Cost(seconds, peak_memory(device) / 2**20)


def peak_memory(device: torch.device) -> float:
    """The most that was held so far, in bytes; NaN where the system does not say.

    Not by getrusage on Linux: there a child process begins with the peak of its parent.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * float(lines["VmHWM"].removesuffix("kB"))
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def phantom(device: torch.device) -> Scan:
    """A disc of water with two pieces of metal on the grid of the ADN protocol."""
    scanner = PROTOCOLS["adn"].scanner
    side = torch.linspace(-1, 1, scanner.grid.width, device=device)
    away = torch.hypot(side[:, None], side)
    metal = (torch.hypot(side[:, None], side.abs() - 0.4) < 0.05)[None, None]
    image = torch.where(metal, 13 * MU_WATER, (away < 0.8) * MU_WATER)
    return Scan(image, scanner, metal)


def main(name: str, device: str = "cpu", downsample: str = "1") -> None:
    """Print what `measure` returns."""
    method, _ = load_method(name)
    print(json.dumps(measure(method, choose_device(device), int(downsample))._asdict()))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InputError as error:
        sys.exit(str(error))
