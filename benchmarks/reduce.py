"""What `unmetal reduce` costs on a series of 512 x 512: to prepare, for each slice, in memory.

The series is the chest port of the examples. Preparing is making the sparse matrices, once. The
last line is the whole command with its defaults, which does every slice mirrored, too.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from unmetal import files
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.weights.load import load_method

SERIES = Path(__file__).parents[1] / "examples" / "chest_port"


def measure(name: str) -> None:
    """Print one row; in a process of its own, whose peak memory is the method's."""
    volume, method = files.read(SERIES, log_warnings=False), load_method(name)[0]
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        slices = len(reduce_volume(volume, method).affected)
        seconds.append(time.perf_counter() - begun)
    first, again = seconds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {name} | {first - again:.1f} | {again / slices:.2f} | {peak:.1f} |", flush=True)


def main() -> None:
    print(
        "| method | to prepare, s | a slice, s | peak memory, GiB |\n|---|---:|---:|---:|",
        flush=True,
    )
    for name in ("li", "bhc", "nmar", "adn"):
        subprocess.run([sys.executable, __file__, name], check=True, stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "unmetal", "reduce", str(SERIES), f"{folder}/out"]
        begun = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        took = time.perf_counter() - begun
    # Of all the processes that were started here.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"\n`unmetal reduce`, all told: {took:.0f} s; no process above {peak:.1f} GiB", flush=True
    )


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
