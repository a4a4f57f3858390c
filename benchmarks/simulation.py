"""Slices simulated per second on one thread, by protocol, and what a slice of LI and NMAR costs."""

import time
from collections.abc import Callable

import numpy as np
import torch

from unmetal.methods import build
from unmetal.physics.protocol import PROTOCOLS
from unmetal.physics.simulate import simulate

BATCH = 6


def phantom(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A body `[B 1 H W]` in 1/cm with two rods of metal in it."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    body = np.where((x / 0.42) ** 2 + (y / 0.3) ** 2 < 1, 0.2, 0)
    body[(x**2 + (y - 0.15) ** 2) < 0.06**2] = 0.35
    metal = (np.abs(x) - 0.2) ** 2 + y**2 < 0.03**2
    clean = torch.from_numpy(body.astype(np.float32))[None, None]
    mask = torch.from_numpy(metal)[None, None]
    return clean.expand(BATCH, -1, -1, -1), mask.expand(BATCH, -1, -1, -1)


def rate(run: Callable[[], object], rounds: int = 5) -> float:
    """Median slices per second of a run over a batch, after one that is not counted."""
    run()
    rates = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        rates.append(BATCH / (time.perf_counter() - begun))
    return float(np.median(rates))


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    print("slices per second, one thread, median of five batches of", BATCH)
    print("| protocol | simulate | LI | NMAR |\n|---|---:|---:|---:|")
    with torch.inference_mode():
        for name, protocol in PROTOCOLS.items():
            clean, metal = phantom(protocol.scanner.grid.width)

            def once(clean=clean, metal=metal, protocol=protocol):
                return simulate(clean, metal, ("ti",), protocol, generator)

            scan = once().scan
            rates = [rate(once)]
            for method in (build("li"), build("nmar")):
                rates.append(rate(lambda m=method, s=scan: m.reduce(s)))
            print(f"| {name} | " + " | ".join(f"{r:.1f}" for r in rates) + " |", flush=True)


if __name__ == "__main__":
    main()
