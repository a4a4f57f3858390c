"""Draw the learning curves of runs: python recipes/learning_curves.py RUN... OUT.png

Each RUN is the folder of a training run. Those without a validation yet are left out.
Lines are told apart by color, dashes and a name at their end; the colors are those of Okabe and
Ito, "Color Universal Design" (2008), which the color-blind can tell apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from unmetal.errors import InputError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


DASHES = ((0, ()), (0, (5, 1.5)), (0, (1.5, 1)))
"""One for each time that the colours have been gone through."""


class Panel(NamedTuple):
    """What one part of the figure shows."""

    metric: str
    head: str
    digits: int
    range: float
    """The axis shows at least this much."""


PANELS = (
    Panel("psnr", "PSNR (dB)", 2, 4.0),
    Panel("ssim", "SSIM", 3, 0.1),
    Panel("left", "share of the artifact that is left", 2, 0.5),
    Panel("copy", "copying of slices without metal (dB)", 1, 4.0),
)
"""Those are drawn that all runs have; older ones lack the last two."""

INK, QUIET = "0.1", "0.55"


def curves(histories: Mapping[str, History]) -> Figure:
    """Metrics of each run against the samples that it had seen, and those of the input.

    What lies far below the end of the worst run, as the first steps do, is not shown.
    """
    panels = [p for p in PANELS if all(p.metric in one.metrics for one in histories.values())]
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(10.6, 4.2 * rows), dpi=200, facecolor="white", layout="constrained")
    for axes, panel in zip(figure.subplots(rows, 2).flat, panels, strict=True):
        axes.set(xscale="log", ylim=limits(histories, panel))
        axes.set_xlabel("samples seen", size=9, color=INK)
        axes.set_ylabel(panel.head, size=9, color=INK)
        for i, one in enumerate(histories.values()):
            values = one.metrics[panel.metric]
            axes.plot(one.samples, values, **style(i), marker="o", markevery=[-1])
        for before in inputs(histories, panel):
            axes.axhline(before, color=QUIET, lw=0.9, ls=(0, (1, 2)), zorder=0)
        _name(axes, histories, panel)
        _tidy(axes)
    figure.supxlabel(
        "Means over validation slices, with simulated metal, of patients that took no part in the "
        "training.",
        size=8,
        color=INK,
        x=0.01,
        ha="left",
    )
    return figure


def style(number: int) -> dict[str, Any]:
    """Colour and dashes of line `number`."""
    dashes = DASHES[number // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[number % len(COLOURS)], "ls": dashes, "lw": 1.5, "ms": 3.5}


def inputs(histories: Mapping[str, History], panel: Panel) -> list[float]:
    """The metric of the input: one number, or one for each resolution that runs were trained at."""
    known = (one.before for one in histories.values() if panel.metric in one.before)
    return sorted({round(before[panel.metric], 4) for before in known})


def limits(histories: Mapping[str, History], panel: Panel) -> tuple[float, float]:
    """Lower and upper end of the axis: from a little below the worst end to above the best."""
    curves = [one.metrics[panel.metric] for one in histories.values()]
    before = inputs(histories, panel)
    low = min([curve[-1] for curve in curves] + before)
    high = max([max(curve) for curve in curves] + before)
    room = max(high - low, 0.75 * panel.range)
    return high - 1.25 * room, high + 0.08 * room


def apart(wanted: np.ndarray, least: float, bottom: float, top: float) -> np.ndarray:
    """Heights near those that are wanted, `[n]`, at least `least` apart and within the ends as far
    as there is room; in the same order from low to high."""
    order = np.argsort(wanted, kind="stable")
    heights = np.array(wanted, dtype=float)[order]
    least = min(least, (top - bottom) / max(len(heights) - 1, 1))
    steps = least * np.arange(len(heights))
    # Pushed up by those below, then down by the upper end, then up by the lower one.
    heights = np.maximum.accumulate(heights - steps) + steps
    ceiling = top - steps[::-1]
    heights = np.maximum(np.minimum(heights, ceiling), bottom + steps)
    placed = np.empty_like(heights)
    placed[order] = heights
    return placed


def _name(axes: Axes, histories: Mapping[str, History], panel: Panel) -> None:
    """Names and last values right of the panel, with a thin line to where each curve ends."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    labels: list[tuple[str, float, float, str]] = [
        (name, one.samples[-1], one.metrics[panel.metric][-1], style(i)["color"])
        for i, (name, one) in enumerate(histories.items())
    ]
    labels += [("input", right, before, QUIET) for before in inputs(histories, panel)]
    wanted = np.array([end for _, _, end, _ in labels])
    heights = apart(wanted, 0.052 * (top - bottom), bottom, top)
    beyond = right * (right / left) ** 0.035
    for (name, start, end, colour), height in zip(labels, heights, strict=True):
        at = [start, right, beyond], [end, end, height]
        axes.plot(*at, color=colour, lw=0.6, alpha=0.6, clip_on=False)
        text = f" {name}  {end:.{panel.digits}f}"
        axes.text(beyond, height, text, color=colour, size=7.5, va="center")
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _tidy(axes: Axes) -> None:
    """Grid, ticks and spines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92", lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, colors=INK)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: thousands(x)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def thousands(samples: float) -> str:
    """`500`, `2k`, `1M`."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if samples >= unit:
            return f"{samples / unit:g}{name}"
    return f"{samples:g}"


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
