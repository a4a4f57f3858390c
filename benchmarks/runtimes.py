"""A slice of 512 x 512 by each exported method: PyTorch, ONNX Runtime and OpenVINO, and how far
they differ in HU."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from unmetal.export.onnx_file import export_onnx
from unmetal.methods.exported import RUNTIMES, Exported
from unmetal.scan import Scan
from unmetal.units import hu_to_mu, mu_to_hu
from unmetal.weights.load import load_method

METHODS = ("adn", "cyclegan", "unet")

ROUNDS = 5


def head() -> Scan:
    """An ellipse of soft tissue with a bright bar and noise, `[1 1 512 512]` in 1/cm."""
    rows, columns = np.mgrid[-1:1:512j, -1:1:512j]
    hu = np.where(np.hypot(rows, 1.3 * columns) < 0.7, 40, -1000)
    hu = hu + np.random.default_rng(0).normal(0, 20, hu.shape)
    hu[250:262, 200:300] = 9000
    return Scan(image=hu_to_mu(torch.from_numpy(hu.astype(np.float32)))[None, None])


def seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


@torch.inference_mode()
def main() -> None:
    scan = head()
    print(f"{torch.get_num_threads()} threads")
    print("| method | runtime | s | PyTorch's s / its own | largest difference, HU |")
    print("|---|---|---:|---:|---:|")
    for name in METHODS:
        method, card = load_method(name)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.onnx"
            with torch.inference_mode(False):
                export_onnx(method, card, path)
            ways = {"PyTorch": method} | {runtime: Exported(path, runtime) for runtime in RUNTIMES}
            results = {runtime: mu_to_hu(way.reduce(scan)) for runtime, way in ways.items()}
            # In turns, so that what else the machine does falls on all of them.
            rounds = [
                [seconds(lambda way=way: way.reduce(scan)) for way in ways.values()]
                for _ in range(ROUNDS)
            ]
        best = dict(zip(ways, map(min, zip(*rounds, strict=True)), strict=True))
        for runtime, took in best.items():
            off = (results[runtime] - results["PyTorch"]).abs().max().item()
            ratio = best["PyTorch"] / took
            print(f"| {name} | {runtime} | {took:.2f} | {ratio:.2f} | {off:.3f} |")


if __name__ == "__main__":
    main()
