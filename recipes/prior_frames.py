"""The pairs as priornet's networks see them: corrected, and cut to a square about the body.

A frame is a stack of images, int16 `[C size size]`: HU, and shares in thousandths. The generator
learns from `CORRECTED` ones, whose masks are those of a threshold, most of them without what is no
metal; the refiner from `COMPLETED` ones, whose masks are confirmed by the segmenter.
"""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from scipy import ndimage
from torch import Tensor

from unmetal.cohorts.pairs import Pair
from unmetal.methods.prior_net import PriorNet, corrections
from unmetal.physics.completion.images import from_prior
from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import smooth
from unmetal.physics.derive import body_mask, complete, metal_mask
from unmetal.physics.frames import crop_resize, frame_of
from unmetal.physics.scanner import reprojection
from unmetal.scan import Scan
from unmetal.units import METAL_HU, hu_to_mu, mu_to_hu

SHARES = ("metal", "share", "body")
"""The mask that was used, what truly is metal, and the patient."""

CORRECTED = ("slice", "li", "nmar", "truth", *SHARES)
COMPLETED = ("slice", "li", "nmar", "prior", "completed", "truth", *SHARES)

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


def corrected_frame(pair: Pair, name: str, size: int) -> tuple[np.ndarray, float]:
    """The images of `CORRECTED`. Where the mask is empty, LI and NMAR are the slice.

    A fifth of the training pairs has the true mask, half of all the threshold's without pieces that
    are no metal, the others the threshold's as it is.
    """
    hu, pixel, body, found = _search(pair)
    true, lot = pair.share > TRUE_SHARE, _lot(f"corrected {name}")
    if name.startswith("train") and lot < 0.2:
        found = true
    elif lot < 0.75:
        # Within two pixels along rows and columns; a square, as the network's own confirmation.
        found &= ndimage.binary_dilation(true, np.ones((5, 5)))
    image = hu_to_mu(torch.from_numpy(hu))[None, None]
    images = image.expand(1, 3, -1, -1)
    if found.any():
        images = _corrections(image, _scan(image, pixel, found))
    return _cut([*images[0]], pair, found, body, pixel, size)


def completed_frame(pair: Pair, name: str, method: PriorNet) -> tuple[np.ndarray, float] | None:
    """The images of `COMPLETED`: what the generator draws and what the rays make of it.

    Of the training pairs, one in twelve has the threshold's mask and one in eight the true one, as
    the segmenter will err on some; half of those without any metal are left out (None).
    """
    hu, pixel, body, found = _search(pair)
    image, training = hu_to_mu(torch.from_numpy(hu))[None, None], name.startswith("train")
    lot = _lot(f"completed {name}")
    with torch.inference_mode():
        if training and 0.08 <= lot < 0.2:
            found = pair.share > TRUE_SHARE
        elif not (training and lot < 0.08):
            found = found & method.segment_metal(image)[0, 0].numpy()
        if not found.any():
            if training and lot > 0.5:
                return None
            return _cut([image[0, 0]] * 5, pair, found, body, pixel, method.config.size)
        scan = _scan(image, pixel, found)
        assert scan.metal is not None
        images = _corrections(image, scan)
        prior = method.prior_of(images, scan.metal, [frame_of(body)])
        completed = from_prior(scan, smooth(prior), additive)
    return _cut(
        [scan.image[0, 0], *images[0, 1:], prior[0, 0], completed[0, 0]],
        *(pair, found, body, pixel, method.config.size),
    )


def _search(pair: Pair) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """HU float32, mm, body and what the threshold takes for metal, `[H W]` each."""
    hu, pixel = pair.image.astype(np.float32), float(pair.pixel)
    body = body_mask(hu, pixel)
    return hu, pixel, body, metal_mask(hu, pixel, METAL_HU, body)


def _lot(name: str) -> float:
    """A number in [0, 1) that is always the same for a name."""
    return zlib.crc32(name.encode()) % 1000 / 1000


def _scan(image: Tensor, pixel: float, metal: np.ndarray) -> Scan:
    """As `unmetal reduce` has it: the slice's re-projection, its reconstruction, the trace."""
    scanner = reprojection(*image.shape[-2:], pixel / 10)
    scan = Scan(image, scanner, torch.from_numpy(metal)[None, None])
    with torch.inference_mode():
        return complete(scan, {"sinogram", "trace", "metal"}, pixel)


def _corrections(image: Tensor, scan: Scan) -> Tensor:
    """The slice as it came, LI and NMAR, `[1 3 H W]` in 1/cm: its re-projection is less sharp."""
    return torch.cat([image, corrections(scan)[:, 1:]], 1)


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
