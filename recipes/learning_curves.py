"""Draw the learning curves of runs: python recipes/learning_curves.py RUN... OUT.png

Each RUN is the folder of a training run. Those without a validation yet are left out.
"""

import sys
from pathlib import Path

from unmetal.errors import InputError
from unmetal.training.curves import curves, history


def main(runs: list[Path], out: Path) -> None:
    histories = {}
    for run in runs:
        try:
            histories[run.name] = history(run)
        except InputError as error:
            print(error, file=sys.stderr)
    if not histories:
        sys.exit("no run to draw")
    out.parent.mkdir(parents=True, exist_ok=True)
    curves(histories).savefig(out)
    print(out)


if __name__ == "__main__":
    *runs, out = map(Path, sys.argv[1:])
    main(runs, out)
