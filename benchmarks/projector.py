"""Projection and reconstruction, side by side: compiled loops, the sparse matrix, other libraries.

CPU seconds on one thread, the least of some rounds that go in turns, because machines are shared;
ratios count more than they do. ASTRA takes part where it is installed; its filtered backprojection
on a CPU is that of parallel views.
"""

import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from skimage.transform import iradon, radon

from unmetal.physics.projection.fbp import reconstruct
from unmetal.physics.projection.geometry import Grid, Parallel
from unmetal.physics.projection.projector import Backend, project

SIZES, ROUNDS = (256, 512), 4

Pair = tuple[Callable[[], object], Callable[[], object]]
"""What projects and what reconstructs."""


def disc(size: int) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.where(x**2 + y**2 < (0.45 * size) ** 2, 0.2, 0).astype(np.float32)


def ours(size: int, views: int, slices: int, backend: Backend) -> Pair:
    grid, geometry = Grid(size, size, 1.0), Parallel(views, size + 1, 1.0)
    image = torch.from_numpy(disc(size)).expand(slices, 1, -1, -1).contiguous()
    sinogram = project(image, geometry, grid, backend)
    return (
        lambda: project(image, geometry, grid, backend),
        lambda: reconstruct(sinogram, geometry, grid, backend=backend),
    )


def scikit_image(size: int, views: int) -> Pair:
    angles = np.arange(views) * 180 / views
    sinogram = radon(disc(size), angles, circle=True)
    return (
        lambda: radon(disc(size), angles, circle=True),
        lambda: iradon(sinogram, angles, circle=True),
    )


def astra_line(size: int, views: int) -> Pair:
    import astra  # noqa: PLC0415  (not a dependency)

    angles = np.arange(views) * np.pi / views
    volume = astra.create_vol_geom(size, size)
    projector = astra.create_projector(
        "linear", astra.create_proj_geom("parallel", 1.0, size + 1, angles), volume
    )
    _, sinogram = astra.create_sino(disc(size), projector)

    def back() -> None:
        held = astra.data2d.create(
            "-sino", astra.projector.projection_geometry(projector), sinogram
        )
        image = astra.data2d.create("-vol", volume)
        options = astra.astra_dict("FBP")
        options |= {
            "ProjectionDataId": held, "ReconstructionDataId": image, "ProjectorId": projector,
        }  # fmt: skip
        astra.algorithm.run(astra.algorithm.create(options))
        astra.data2d.delete([held, image])

    return lambda: astra.data2d.delete(astra.create_sino(disc(size), projector)[0]), back


def main() -> None:
    torch.set_num_threads(1)
    for size in SIZES:
        views = 4 * round(np.pi / 2 * size / 4)
        everyone: dict[str, tuple[Pair, int]] = {}
        for name, backend in (("compiled", "compiled"), ("sparse matrix", "matrix")):
            for slices in (1, 4):
                begun = time.process_time()
                pair = ours(size, views, slices, backend)
                pair[1]()
                everyone[f"{name}, {slices} at once"] = (pair, slices)
                print(f"{name}, {slices}: first call {time.process_time() - begun:.1f} s")
        everyone["scikit-image"] = (scikit_image(size, views), 1)
        if find_spec("astra"):
            everyone["ASTRA, linear"] = (astra_line(size, views), 1)
        least = {name: [np.inf, np.inf] for name in everyone}
        for _ in range(ROUNDS):
            for name, (pair, slices) in everyone.items():
                for which, run in enumerate(pair):
                    begun = time.process_time()
                    run()
                    took = (time.process_time() - begun) / slices
                    least[name][which] = min(least[name][which], took)
        print(f"\n{size} x {size}, {views} parallel views, CPU seconds a slice")
        print("| | projection | ratio | reconstruction | ratio |\n|---|---:|---:|---:|---:|")
        best = least["compiled, 1 at once"]
        for name, (to, back) in least.items():
            print(f"| {name} | {to:.4f} | {to / best[0]:.1f} | {back:.4f} | {back / best[1]:.1f} |")


if __name__ == "__main__":
    main()
