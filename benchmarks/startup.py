"""How soon `unmetal` answers: quick commands beside the bare interpreter."""

import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "unmetal --help": ["-m", "unmetal", "--help"],
    "unmetal methods": ["-m", "unmetal", "methods"],
    "unmetal reduce --help": ["-m", "unmetal", "reduce", "--help"],
}
ROUNDS = 5


def seconds(arguments: list[str]) -> float:
    """Of a new process, which must succeed."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    # In turns, so that what else the machine does falls on all alike; the least busy one counts.
    rounds = [{name: seconds(a) for name, a in COMMANDS.items()} for _ in range(ROUNDS)]
    best = {name: min(one[name] for one in rounds) for name in COMMANDS}
    bare = best["python -c pass"]
    print("| command | s | times the interpreter |\n|---|---:|---:|")
    for name, took in best.items():
        print(f"| {name} | {took:.2f} | {took / bare:.1f} |")


if __name__ == "__main__":
    main()
