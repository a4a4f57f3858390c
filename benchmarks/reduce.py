"""What `unmetal reduce` costs: one slice of 512 x 512 from a cold start, each slice of a series.

The series is the chest port of the examples, the slice its sixth. Seconds are those of the CPU,
user and system, which a busy machine stretches less than the clock. The last line is the whole
command with its defaults, which does every slice mirrored, too.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from unmetal import files
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.weights.load import load_method

SERIES = Path(__file__).parents[1] / "examples" / "chest_port"

METHODS = ("li", "bhc", "nmar", "adn", "priornet")


def measure(name: str) -> None:
    """Print what a slice of the series takes once all is loaded, s; in a process of its own."""
    volume, method = files.read(SERIES, log_warnings=False), load_method(name)[0]
    for _ in range(2):
        begun = time.process_time()
        slices = len(reduce_volume(volume, method).affected)
        took = time.process_time() - begun
    print(took / slices)


def reduce(source: Path, name: str) -> tuple[float, float]:
    """CPU seconds and peak GiB of the whole command."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "unmetal", "reduce", str(source), f"{folder}/out", "--method", name]
        process = subprocess.Popen([sys.executable, *command], stderr=subprocess.DEVNULL)
        # Of this process only: its own peak, not that of all that were started here.
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"unmetal reduce --method {name} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    with tempfile.TemporaryDirectory() as one:
        shutil.copy(sorted(SERIES.iterdir())[5], one)
        print(
            "| method | one slice, cold, s | GiB | a slice of a series, s |\n|---|---:|---:|---:|"
        )
        for name in METHODS:
            # The first run may have to compile.
            reduce(Path(one), name)
            cold, peak = reduce(Path(one), name)
            warm = subprocess.check_output(
                [sys.executable, __file__, name], stderr=subprocess.DEVNULL
            )
            print(f"| {name} | {cold:.1f} | {peak:.2f} | {float(warm):.2f} |", flush=True)
    took, peak = reduce(SERIES, "priornet")
    print(f"\n`unmetal reduce`, the series by priornet: {took:.0f} s, {peak:.2f} GiB", flush=True)


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
