"""How much of the artifact a network leaves, apart from how well it copies a slice.

    python recipes/artifact_left.py SOURCE OUT.md RUN... [--downsample 2] [--draws 2]

Small networks copy badly: what they do to a slice without metal already exceeds the artifact, and
PSNR shows little else. So the network is asked twice, for the scan with metal and for the same scan
without, noise and all. What its two answers differ by is the artifact that is left,

    left = RMSE(f(affected), f(free)) / RMSE(affected, free),

and RMSE(f(free), free) is the error of copying. A network that painted the same picture whatever
it sees would leave nothing: read both together. RMSE in HU as in
`metrics.image_quality.hu_protocol`, by the scanners of `unmetal evaluate --protocol`; cases with
an artifact below 10 HU do not count.

SOURCE holds `index.csv` and the test masks, of which only withheld patients are used; RUN are run
folders.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.evaluation.cases import Clean, load_cases
from unmetal.evaluation.drawn_machines import SIZE, random_scene
from unmetal.evaluation.results import run_method
from unmetal.methods.method import Method
from unmetal.metrics.image_quality import hu_protocol
from unmetal.metrics.intervals import Interval, t_interval
from unmetal.physics.derive import body_mask
from unmetal.physics.protocol import PROTOCOLS
from unmetal.physics.simulate import Simulation, resize, simulate
from unmetal.units import hu_to_mu, mu_to_hu
from unmetal.weights.load import load_method

NAMES = ("adn", "clinical", "cbct")

ENOUGH_HU = 10.0
"""Of artifact, root mean square: below, a share of it says nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--downsample", type=int, default=1)
    parser.add_argument("--draws", type=int, default=2)
    given = parser.parse_args()
    methods = {Path(run).name: load_method(run)[0] for run in given.runs}
    cases = load_cases(given.source / "index.csv")
    found = {name: list(rows(name, cases, methods, given)) for name in NAMES}
    text = table(found, list(methods))
    print(text)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(text, encoding="utf-8")


def rows(
    name: str, cases: Clean, methods: dict[str, Method], given: argparse.Namespace
) -> Iterator[tuple[str, str, float, float]]:
    """Method, patient, share that is left, and error of copying in HU, of every case."""
    for number, patient in enumerate(cases.groups):
        for draw in range(given.draws):
            with torch.inference_mode():
                done, pixel = scan(name, cases, number, draw)
                free = replace(done.scan, image=done.free_image)
                count = measured(done, pixel, given.downsample)
                artifact = count(done.scan.image, free.image)
                if artifact < ENOUGH_HU:
                    continue
                for label, method in methods.items():
                    a, b = (
                        run_method(method, one, given.downsample, pixel).image
                        for one in (done.scan, free)
                    )
                    yield label, patient, count(a, b) / artifact, count(b, free.image)


def scan(name: str, cases: Clean, number: int, draw: int) -> tuple[Simulation, float]:
    """One slice with metal by the scanner of that name, and the pixel in mm."""
    clean = hu_to_mu(torch.from_numpy(cases.hu[number]))[None, None]
    clean = resize(clean, SIZE, SIZE).clamp_min(0)
    if name in PROTOCOLS:
        protocol = PROTOCOLS[name]
        mask = torch.from_numpy(cases.masks[(number + 5 * draw) % len(cases.masks)]).float()
        metal = resize(mask[None, None], SIZE, SIZE) > 0.5
        noise = torch.Generator().manual_seed(1_000_003 * draw + number)
        return simulate(clean, metal, ("ti",), protocol, noise), 10 * protocol.scanner.grid.pixel
    assert cases.spacing is not None
    pixel = float(cases.spacing[number]) * cases.hu.shape[-1] / SIZE
    return random_scene(name, clean, pixel, np.random.default_rng([0, number, draw])).scan(), pixel


def measured(done: Simulation, pixel: float, downsample: int):
    """RMSE in HU of two images `[1 1 H W]` in 1/cm, inside the body, 2 px and more from metal, at
    the resolution of the networks."""
    assert done.scan.clean is not None
    assert done.scan.metal is not None
    truth = mu_to_hu(functional.avg_pool2d(done.scan.clean, downsample))
    metal = functional.max_pool2d(done.scan.metal.float(), downsample) > 0
    body = torch.from_numpy(body_mask(truth[0, 0].numpy(), pixel * downsample))[None, None]

    def rmse(a: Tensor, b: Tensor) -> float:
        images = [
            mu_to_hu(functional.avg_pool2d(x, x.shape[-1] // truth.shape[-1])) for x in (a, b)
        ]
        return hu_protocol(*images, body, metal)["rmse_hu"].item()

    return rmse


def table(found: dict[str, list[tuple[str, str, float, float]]], methods: list[str]) -> str:
    """Markdown: methods down, scanners across, means with 95 % intervals over patients."""
    counts = ", ".join(f"{name} {len(its) // len(methods)}" for name, its in found.items())
    patients = len({patient for its in found.values() for _, patient, *_ in its})
    lines = [
        f"Share of the artifact that is left (error of copying, HU). Cases: {counts}; "
        f"means of {patients} patients' means, 95 % t intervals.",
        "",
        "| | " + " | ".join(found) + " |",
        "|---|" + "---:|" * len(found),
    ]
    for method in methods:
        cells = []
        for its in found.values():
            mine = [row for row in its if row[0] == method]
            patients_ = [row[1] for row in mine]
            left = t_interval([row[2] for row in mine], patients_)
            cells.append(f"{share(left)} ({np.mean([row[3] for row in mine]):.0f})")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def share(interval: Interval) -> str:
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


if __name__ == "__main__":
    main()
