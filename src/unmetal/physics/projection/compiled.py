"""Projection and filtered backprojection without a matrix, by the compiled loops of `kernels`.

Images are square and in pixels, on any device; the work is done on the CPU, a slice or four at
once. It takes as many threads as torch does, each with rays, views or rows of its own, so that none
waits for another.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.physics.projection import kernels
from unmetal.physics.projection.geometry import FanArc, FanFlat, Geometry, angles
from unmetal.physics.projection.lanes import SLICES
from unmetal.physics.projection.rays import Rays
from unmetal.physics.projection.symmetry import COPIES, Symmetry, copies, merge, pick, put

BORDER = (1, 2)
"""Columns of zeros before and behind, see `kernels`: the second one behind is for rounding."""


def project(images: Tensor, geometry: Geometry) -> Tensor:
    """Line integrals `[B V D]` of `[B N N]`."""
    width, rays = images.shape[-1] + sum(BORDER), Rays.of(geometry, images.shape[-1])
    steps = _steps(geometry, images.shape[-1])

    def some(images: Tensor) -> Tensor:
        sums = images.new_zeros(len(rays.start), len(images), COPIES)
        copied = _rows(copies(images, BORDER))
        _in_threads(kernels.project, len(sums), copied, width, *steps, _rows(sums))
        return pick(sums.mul_(rays.length[:, None, None].to(sums)), rays.place)

    return _few_at_once(some, images)


def backproject(sinogram: Tensor, geometry: Geometry, size: int) -> Tensor:
    """The transpose of `project`: `[B V D]` -> `[B N N]`."""
    width, rays = size + sum(BORDER), Rays.of(geometry, size)
    steps = _steps(geometry, size)

    def some(sinogram: Tensor) -> Tensor:
        values = put(sinogram, rays.place, len(rays.start)).contiguous()
        weighed = _rows(values.mul_(rays.length[:, None, None].to(values)))
        image = values.new_zeros(size, width, len(sinogram), COPIES)
        _in_threads(kernels.backproject, size, weighed, *steps, _rows(image), width)
        return merge(image[:, BORDER[0] : -BORDER[1]])

    return _few_at_once(some, sinogram)


def gather(views: Tensor, geometry: Geometry, size: int) -> Tensor:
    """Filtered views `[B V D]` backprojected: `[B N N]`."""
    symmetry, scanner = Symmetry.of(geometry), _scanner(geometry)

    def some(views: Tensor) -> Tensor:
        split = F.pad(symmetry.split(views), (0, 0, 0, 0, *BORDER)).contiguous()
        image = views.new_zeros(size, size, len(views), COPIES)
        rows = symmetry.rows(size)
        _in_threads(kernels.gather, rows, _rows(split), *scanner, _rows(image), size)
        return merge(symmetry.once(image))

    return _few_at_once(some, views)


def scatter(images: Tensor, geometry: Geometry) -> Tensor:
    """The transpose of `gather`: `[B N N]` -> `[B V D]`."""
    symmetry, scanner = Symmetry.of(geometry), _scanner(geometry)
    size, width = images.shape[-1], geometry.bins + sum(BORDER)

    def some(images: Tensor) -> Tensor:
        copied = _rows(symmetry.once(copies(images)))
        views = images.new_zeros(symmetry.stored, width, len(images), COPIES)
        rows = symmetry.rows(size)
        _in_threads(kernels.scatter, len(views), copied, size, rows, *scanner, _rows(views))
        return symmetry.join(views[:, BORDER[0] : -BORDER[1]])

    return _few_at_once(some, images)


def _few_at_once(work: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """`work` on every slice of the batch: one alone, or four at once, filled up with zeros."""
    done = []
    for some in batch.cpu().split(SLICES):
        missing = (SLICES - len(some)) * (len(some) > 1)
        done.append(work(F.pad(some, (0, 0, 0, 0, 0, missing)))[: len(some)])
    return torch.cat(done).to(batch.device)


def _rows(x: Tensor) -> np.ndarray:
    """`[... B 8]` as the kernels read it: `[n 8]` or `[n 4 8]`, the same memory."""
    return x.view(-1, COPIES).numpy() if x.shape[-2] == 1 else x.view(-1, SLICES, COPIES).numpy()


@lru_cache(maxsize=4)
def _steps(geometry: Geometry, size: int) -> tuple[np.ndarray, ...]:
    """start, slope, first and last of `kernels.project`."""
    rays = Rays.of(geometry, size)
    start, slope, first, last = rays.start + BORDER[0], rays.slope, *rays.met(size)
    return start.numpy(), slope.numpy(), first.numpy(), last.numpy()


@lru_cache(maxsize=4)
def _scanner(geometry: Geometry) -> tuple[np.ndarray, np.ndarray, tuple[int, float, int, float]]:
    """cosine, sine and scanner of `kernels.gather`."""
    angle = angles(geometry)[: Symmetry.of(geometry).stored]
    kind, pitch, source = kernels.PARALLEL, geometry.pitch_at_axis, 1.0
    if isinstance(geometry, FanArc):
        kind, pitch, source = kernels.ARC, geometry.pitch, geometry.source
    elif isinstance(geometry, FanFlat):
        kind, source = kernels.FLAT, geometry.source
    return angle.cos().numpy(), angle.sin().numpy(), (kind, pitch, geometry.bins, source)


def _in_threads(loop: Callable[..., None], count: int, *arguments: Any) -> None:
    """Call `loop(*arguments, begin, end)` for parts of 0 to `count`, in as many threads as torch
    takes."""
    threads = torch.get_num_threads()
    if threads == 1:
        loop(*arguments, 0, count)
        return
    # More parts than threads, because not all take as long; whole blocks of rows.
    part = kernels.ROWS * max(1, count // (4 * threads * kernels.ROWS))
    with ThreadPoolExecutor(threads) as pool:
        begins = range(0, count, part)
        for done in [pool.submit(loop, *arguments, b, min(b + part, count)) for b in begins]:
            done.result()
