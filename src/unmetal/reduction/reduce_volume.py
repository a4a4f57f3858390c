"""Volumes: find the metal, hand the slices that have some to a method, keep the rest."""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.files import as_stored
from unmetal.methods.method import Method
from unmetal.physics.derive import METAL_HU, body_mask, complete, metal_mask
from unmetal.physics.scanner import CT, reprojection
from unmetal.reduction.cautions import Caution, doubtful, unusual
from unmetal.reduction.network_image import READS, consistent, reduce_native
from unmetal.scan import Progress, Scan, Volume, square_pixel, without_padding
from unmetal.units import MU_WATER, hu_to_mu, mu_to_hu

log = logging.getLogger("unmetal")


DETAIL_HU = 20.0
"""Change, HU, at which half of the detail is given back."""


BATCH = 4
"""Slices at a time; 512 x 512 then fits in any memory."""


@dataclass(frozen=True)
class Reduced:
    """What came out, and all that a report about it is made from."""

    source: Volume
    """The series as it came."""

    volume: Volume
    """The series as it reads back once it is written: rounded and clipped to what its format
    stores."""

    metal: np.ndarray
    """bool `[slices H W]`; these pixels are the source's."""

    warnings: tuple[Caution, ...] = ()
    """Reasons to distrust the result, each a short key and a sentence."""

    disagreement: np.ndarray | None = None
    """float32 `[slices H W]`, HU: how far the result is from that of the mirrored slice, turned
    back; 0 in slices that were not changed. None for methods that learned nothing."""

    clipped: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    """int `[slices]`: values that did not fit what the format stores and were cut to it."""

    def say(self) -> None:
        """Send the warnings to the log; and that nothing had to be done, where that is so."""
        where = self.source.path or "series"
        for caution in self.warnings:
            log.warning("%s: %s: %s", where, caution.key, caution.said)
        if not len(self.affected):
            log.info("%s: no metal inside the body: nothing had to be done", where)
        elif not len(self.changed):
            log.info("%s: there is metal, but nothing had to be changed", where)

    @property
    def affected(self) -> np.ndarray:
        """int `[n]`: the slices that have metal in them; no other one was changed."""
        return np.flatnonzero(self.metal.any((1, 2)))

    @property
    def changed(self) -> np.ndarray:
        """int `[n]`: the slices of which at least one value changed."""
        return np.flatnonzero((self.volume.hu != self.source.hu).any((1, 2)))


def find_metal(volume: Volume, threshold: float = METAL_HU) -> np.ndarray:
    """bool `[slices H W]`: metal inside the body, slice by slice."""
    pixel = square_pixel(volume)
    return np.stack([metal_mask(slice_, pixel, threshold) for slice_ in without_padding(volume)])


def reduce_volume(
    volume: Volume,
    method: Method,
    *,
    threshold: float = METAL_HU,
    metal: np.ndarray | None = None,
    device: torch.device | None = None,
    progress: Progress = lambda done, total: None,
    flips: bool = False,
) -> Reduced:
    """The series with its metal artifacts reduced.

    Metal, padding, what is outside the body, and every slice without metal keep their values
    exactly.

    metal: bool `[slices H W]` where it is known; found by `threshold` (HU) otherwise.
    flips: reduce every slice mirrored, too, with methods that learned, and compare.
    Raises `InputError` for pixels that are not square.
    """
    metal = find_metal(volume, threshold) if metal is None else metal
    learned = method.input_size is not None
    source = without_padding(volume)
    cautions = unusual(volume, source, metal, learned=learned)
    affected = np.flatnonzero(metal.any((1, 2)))
    clipped = np.zeros(len(volume.hu), int)
    if len(affected) == 0:
        return Reduced(volume, volume, metal, cautions, clipped=clipped)
    pixel = square_pixel(volume)
    _, height, width = volume.hu.shape
    scanner = reprojection(height, width, pixel / 10)
    device = device or torch.device("cpu")
    result, bodies = volume.hu.copy(), np.zeros((len(affected), height, width), bool)
    apart = np.zeros_like(volume.hu) if flips and learned else None
    progress(0, len(affected))
    for start in range(0, len(affected), BATCH):
        some = affected[start : start + BATCH]
        clean = _reduce_slices(method, source[some], metal[some], scanner, pixel, device)
        body = _bodies(source[some], clean, pixel)
        kept = metal[some] | ~body
        if volume.padding is not None:
            kept = kept | volume.padding[some]
        result[some] = np.where(kept, volume.hu[some], clean)
        if apart is not None:
            turned = (source[some][..., ::-1], metal[some][..., ::-1])
            again = _reduce_slices(method, *turned, scanner, pixel, device)[..., ::-1]
            apart[some] = np.where(kept, 0, np.abs(clean - again))
        bodies[start : start + BATCH] = body
        progress(min(start + BATCH, len(affected)), len(affected))
    written, clipped = as_stored(volume.with_hu(result))
    cautions += doubtful(
        (written.hu - volume.hu)[affected],
        metal[affected],
        bodies,
        pixel,
        None if apart is None else apart[affected],
        int(clipped.sum()),
    )
    return Reduced(volume, written, metal, cautions, apart, clipped)


def _bodies(before: np.ndarray, after: np.ndarray, pixel: float) -> np.ndarray:
    """bool `[n H W]`: the patient with or without streaks, which can cut him open."""
    return np.stack([body_mask(hu, pixel) for hu in before]) | np.stack(
        [body_mask(hu, pixel) for hu in after]
    )


def _reduce_slices(
    method: Method,
    hu: np.ndarray,
    metal: np.ndarray,
    scanner: CT,
    pixel: float,
    device: torch.device,
) -> np.ndarray:
    """HU `[n H W]` of HU `[n H W]`, `metal` bool `[n H W]`, pixels of `pixel` mm."""

    def batch(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array))[:, None].to(device)

    image = hu_to_mu(batch(hu))
    inputs = method.inputs if method.input_size is None else READS
    with torch.inference_mode():
        scan = complete(Scan(image, scanner, batch(metal)), inputs, pixel)
        if method.input_size is None:
            result = method.reduce(scan)
        else:
            shown = reduce_native(method, Scan(image, metal=scan.metal), pixel)
            result = consistent(shown, image, scan)
        if "sinogram" in inputs:
            result = restore_detail(result, scan.image, image)
        return mu_to_hu(result)[:, 0].cpu().numpy()


def restore_detail(result: Tensor, projected: Tensor, image: Tensor) -> Tensor:
    """Give back what re-projection blurred, where nothing was corrected; all `[B 1 H W]` 1/cm.

    `projected` is `image` after projection and reconstruction. The difference of the two is edges
    and noise of the patient, but next to metal it is the finest streaks; so it returns by a
    weight 1 / (1 + (change / DETAIL_HU)^2), the change being its root mean square over 3 x 3
    pixels. On simulated clinical slices that costs nothing, where giving all of it back makes
    the error a third larger (benchmarks/reprojection.py).
    """
    change = F.avg_pool2d((result - projected) ** 2, 3, 1, 1)
    weight = 1 / (1 + change / (DETAIL_HU * MU_WATER / 1000) ** 2)
    return result + weight * (image - projected)
