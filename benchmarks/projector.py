"""Projection and reconstruction, side by side: the sparse matrix, no matrix, and scikit-image.

Ratios count, not seconds: machines differ, and neighbours take their share. One thread.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from skimage.transform import iradon, radon

from unmetal.physics.projection import projector
from unmetal.physics.projection.fbp import reconstruct
from unmetal.physics.projection.geometry import Grid, Parallel
from unmetal.physics.projection.projector import project

SIZE, VIEWS, BATCH, LARGE = 256, 320, 4, 512


def seconds(run: Callable[[], object], slices: int, rounds: int = 5) -> float:
    """Median seconds per slice, after one round that is not counted."""
    run()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) / slices)
    return float(np.median(times))


def disc() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return np.where(x**2 + y**2 < (0.45 * SIZE) ** 2, 0.2, 0).astype(np.float32)


def main() -> None:
    torch.set_num_threads(1)
    grid, geometry = Grid(SIZE, SIZE, 1.0), Parallel(VIEWS, SIZE + 1, 1.0)
    image = torch.from_numpy(disc())[None, None].expand(BATCH, -1, -1, -1).contiguous()
    angles = np.arange(VIEWS) * 180 / VIEWS
    sinogram = project(image, geometry, grid, "matrix")
    theirs = radon(disc(), angles, circle=True)
    rows: list[tuple[str, float, float]] = []
    for name, backend in (("ours, sparse matrix", "matrix"), ("ours, matrix-free", "rays")):
        forward = seconds(lambda b=backend: project(image, geometry, grid, b), BATCH)
        back = seconds(lambda b=backend: reconstruct(sinogram, geometry, grid, backend=b), BATCH)
        rows.append((name, forward, back))
    forward = seconds(lambda: radon(disc(), angles, circle=True), 1, 3)
    back = seconds(lambda: iradon(theirs, angles, circle=True), 1, 3)
    rows.append(("scikit-image radon, iradon", forward, back))

    print(f"{SIZE} x {SIZE}, {VIEWS} parallel views, one thread, median per slice")
    print("| | projection s | ratio | reconstruction s | ratio |\n|---|---:|---:|---:|---:|")
    for name, forward, back in rows:
        ratios = forward / rows[0][1], back / rows[0][2]
        print(f"| {name} | {forward:.4f} | {ratios[0]:.1f} | {back:.4f} | {ratios[1]:.1f} |")

    print(f"\nprojection of {LARGE} x {LARGE} by columns of the sparse product, s per slice")
    print("| columns | s |\n|---:|---:|")
    grid = Grid(LARGE, LARGE, 1.0)
    geometry = Parallel(800, LARGE + 1, 1.0)
    many = torch.rand(4, 1, LARGE, LARGE)
    for columns in (4, 8, 16, 24):
        projector.COLUMNS = columns
        print(
            f"| {columns} | {seconds(lambda: project(many, geometry, grid, 'matrix'), 4, 1):.3f} |"
        )


if __name__ == "__main__":
    main()
