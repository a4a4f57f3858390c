"""The pairs as priornet's networks see them: corrected, and cut to a square about the body.

A frame is a stack of images, int16 `[C size size]`: HU, and shares in thousandths. The generator
learns from `CORRECTED` ones, the refiner from `COMPLETED` ones; most masks of both are confirmed by
the segmenter, as in use.
"""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from unmetal.cohorts.pairs import Pair
from unmetal.methods.prior_net import PriorNet, completions, corrections
from unmetal.physics.completion.metal_fit import MetalRays
from unmetal.physics.derive import body_mask, complete, metal_mask
from unmetal.physics.frames import Frame, crop_resize, frame_of
from unmetal.physics.scanner import reprojection
from unmetal.scan import Scan
from unmetal.units import METAL_HU, hu_to_mu, mu_to_hu

SHARES = ("metal", "share", "body")
"""The mask that was used, what truly is metal, and the patient."""

CORRECTED = ("slice", "li", "nmar", "fitted", "truth", *SHARES)
COMPLETED = ("slice", "completed", "fitted", "prior", "truth", *SHARES)

EMPTY = {"corrected": 0.5, "completed": 0.3}
"""Share of the training pairs in which nothing is found that is learned from."""

THOUSAND = 1000
"""A share of 1 as it is stored."""

TRUE_SHARE = 110
"""Of 255: share from which a pixel is metal. A little below half, since an edge that is missed
costs more than one too many."""


class Frames:
    """Frames in memory: names of their images, arrays, and the pixel of each in mm."""

    def __init__(self, paths: Sequence[Path], names: Sequence[str]) -> None:
        held = [np.load(path) for path in paths]
        self.names = tuple(names)
        self.arrays = [one["images"] for one in held]
        self.pixels = [float(one["pixel"]) for one in held]

    def by_name(self, arrays: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Name to float32 `[n 1 size size]`, HU or share."""
        batch = torch.from_numpy(np.stack([array.astype(np.float32) for array in arrays]))
        images = dict(zip(self.names, batch.split(1, dim=1), strict=True))
        return images | {name: images[name] / THOUSAND for name in SHARES}

    def draw(self, rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        """A batch, half of it mirrored; one in seven is upside down, as a prone patient is."""
        chosen = []
        for _ in range(count):
            array = self.arrays[rng.integers(len(self.arrays))]
            array = array[:, :, ::-1] if rng.random() < 0.5 else array
            chosen.append(array[:, ::-1] if rng.random() < 0.15 else array)
        return self.by_name(chosen)


def make_frames(
    pairs: Sequence[Path],
    folder: Path,
    frame: Callable[[Pair, str], tuple[np.ndarray, float] | None],
) -> list[Path]:
    """Write `frame(pair, name)`, its images and the mm of its pixels, for each pair that has none
    in the folder yet; returns all there are."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in track(pairs, folder.name):
        target = folder / path.name
        if target.exists() or (made := frame(Pair.load(path), path.stem)) is None:
            continue
        with target.with_suffix(".partial").open("wb") as file:
            np.savez(file, images=made[0], pixel=made[1])
        target.with_suffix(".partial").replace(target)
    return [folder / path.name for path in pairs if (folder / path.name).exists()]


def corrected_frame(pair: Pair, name: str, method: PriorNet) -> tuple[np.ndarray, float] | None:
    """The images of `CORRECTED`; those of pairs in which nothing is found are the slice."""

    def images(scan: Scan, frame: Frame) -> list[Tensor]:
        del frame
        return [*corrections(scan, MetalRays.of(scan))[0]]

    return _frame(pair, name, method, "corrected", images)


def completed_frame(pair: Pair, name: str, method: PriorNet) -> tuple[np.ndarray, float] | None:
    """The images of `COMPLETED`: what the rays make of the prior that the generator draws."""

    def images(scan: Scan, frame: Frame) -> list[Tensor]:
        assert scan.metal is not None
        rays = MetalRays.of(scan)
        prior = method.prior_of(corrections(scan, rays), scan.metal, [frame])
        return [*completions(scan, prior, rays)[0], prior[0, 0]]

    return _frame(pair, name, method, "completed", images)


def _frame(
    pair: Pair,
    name: str,
    method: PriorNet,
    kind: str,
    images: Callable[[Scan, Frame], list[Tensor]],
) -> tuple[np.ndarray, float] | None:
    """Four images of a scan and its frame, as a frame with truth and shares.

    Of the training pairs, one in twelve has the threshold's mask and one in eight the true one, as
    the segmenter will err on some; of those in which nothing is found most are left out (None).
    """
    hu, pixel = pair.image.astype(np.float32), float(pair.pixel)
    body, image = body_mask(hu, pixel), hu_to_mu(torch.from_numpy(hu))[None, None]
    metal = metal_mask(hu, pixel, METAL_HU, body)
    training, lot = name.startswith("train"), zlib.crc32(name.encode()) % 1000 / 1000
    with torch.inference_mode():
        if training and 0.08 <= lot < 0.2:
            metal = pair.share > TRUE_SHARE
        elif not (training and lot < 0.08):
            metal = metal & method.segment_metal(image)[0, 0].numpy()
        if not metal.any():
            if training and lot > EMPTY[kind]:
                return None
            return _cut([image[0, 0]] * 4, pair, metal, body, pixel, method.config.size)
        # As `unmetal reduce` has it: the slice's re-projection, its reconstruction, the trace.
        scan = Scan(
            image, reprojection(*image.shape[-2:], pixel / 10), torch.from_numpy(metal)[None, None]
        )
        scan = complete(scan, method.inputs, pixel)
        found = images(scan, frame_of(body))
    return _cut(found, pair, metal, body, pixel, method.config.size)


def _cut(
    images: list[Tensor],
    pair: Pair,
    metal: np.ndarray,
    body: np.ndarray,
    pixel: float,
    size: int,
) -> tuple[np.ndarray, float]:
    """Images (1/cm, `[H W]`), then truth and shares, as a frame; and the mm of its pixels."""
    frame = frame_of(body)
    truth = hu_to_mu(torch.from_numpy(pair.truth.astype(np.float32)))
    small = [mu_to_hu(crop_resize(x[None].clamp_min(0), frame, size)) for x in (*images, truth)]
    for mask in (metal, pair.share / 255.0, body):
        share = torch.from_numpy(np.asarray(mask, np.float32))[None]
        small.append(crop_resize(share, frame, size) * THOUSAND)
    stack = torch.cat(small).numpy().round().clip(-32_000, 32_000).astype(np.int16)
    return stack, pixel * frame.side / size
