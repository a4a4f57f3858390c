"""Slices of any size for networks that were trained at one.

A network sees a square about the body, resized to the side it was trained at: its normalisations
run over the whole slice, so the share of air must be what it knows. What comes back to the slice's
own pixels is not the network's image but its *artifact*, input minus output, which is smooth
compared with the anatomy: the slice keeps its own resolution and noise.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.methods.method import Method
from unmetal.physics.completion.images import from_prior, nmar_image
from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import smooth
from unmetal.physics.derive import body_mask
from unmetal.scan import Scan
from unmetal.units import MU_WATER, WINDOW, hu_to_mu, mu_to_hu

Way = Literal["network", "artifact", "clear artifact"]
"""What is given back at native size: the network's own image there; its artifact at the size it
was trained at; that artifact only as far as it stands out of the network's usual error."""


MARGIN = 1.04
"""Side of the frame relative to the body's longer side, as in recipes/syn_cohort.py."""


TISSUES_HU = (-1000.0, -800.0, -100.0, 50.0, 300.0)
"""Where the network's offset is measured: air, lung, fat, muscle, bone."""


REACH_HU = 60.0
"""Pixels within this of a tissue's value tell its offset."""


ENOUGH = 200
"""Pixels that an offset needs to be believed."""


@dataclass(frozen=True)
class Frame:
    """A square of a slice, in pixels; it may reach over the edge."""

    top: int
    left: int
    side: int

    def padding(self, height: int, width: int) -> list[int]:
        """What to add left, right, above and below (negative: to cut) to get the frame."""
        right, bottom = self.left + self.side - width, self.top + self.side - height
        return [-self.left, right, -self.top, bottom]


def frame_of(image: Tensor, pixel: float) -> Frame:
    """The frame about the body of one slice `[1 H W]` in 1/cm; all of it if there is no body."""
    height, width = image.shape[-2:]
    body = body_mask(mu_to_hu(image[0]).cpu().numpy(), pixel)
    rows, columns = np.nonzero(body) if body.any() else np.nonzero(np.ones((height, width)))
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    side = round(MARGIN * max(bottom - top, right - left))
    return Frame(int((top + bottom - side) // 2), int((left + right - side) // 2), side)


def reduce_native(
    method: Method, scan: Scan, pixel: float, way: Way = "clear artifact", restore: bool = True
) -> Tensor:
    """The slices of `scan`, `[B 1 H W]` in 1/cm with pixels of `pixel` mm, without artifacts.

    `restore` takes the network's offset in each tissue back out. What is above the network's
    window is left as it was. The defaults gave the least RMSE on validation patients
    (`benchmarks/native_size.py`, docs/adn.md).
    """
    if method.input_size is None:
        return method.reduce(scan)
    if way == "network":
        result = method.reduce(scan)
        return restored(result, scan.image) if restore else result
    image, size = scan.image, method.input_size
    frames = [frame_of(slice_, pixel) for slice_ in image]
    small = torch.stack([shown(s, f, size) for s, f in zip(image, frames, strict=True)])
    result = method.reduce(replace(scan, image=small, metal=None, sinogram=None, trace=None))
    result = restored(result, small) if restore else result
    artifact = small.clip(*WINDOW) - result
    if way == "clear artifact":
        artifact = clear(artifact, small)
    moved = [back(a, f, s) for a, f, s in zip(artifact, frames, image, strict=True)]
    return image - torch.stack(moved)


def shown(image: Tensor, frame: Frame, size: int) -> Tensor:
    """The frame of `[1 H W]` (1/cm, air around it) as `[1 size size]`."""
    cut = functional.pad(image, frame.padding(*image.shape[-2:]))
    small = functional.interpolate(
        cut[None], (size, size), mode="bicubic", antialias=True, align_corners=False
    )
    return small[0].clamp_min(0)


def back(artifact: Tensor, frame: Frame, image: Tensor) -> Tensor:
    """`[1 size size]` in a frame to `[1 H W]` of the slice, nothing outside the frame."""
    large = functional.interpolate(
        artifact[None], (frame.side, frame.side), mode="bilinear", align_corners=False
    )
    left, right, top, bottom = frame.padding(*image.shape[-2:])
    return functional.pad(large[0], [-left, -right, -top, -bottom])


def clear(artifact: Tensor, image: Tensor) -> Tensor:
    """The artifact `[B 1 H W]` weighted by how far it stands out: Wiener's 1 - (usual / here)^2.

    Here is its root mean square over 15 x 15 pixels, usual the lower quartile of that in the body.
    """
    here = functional.avg_pool2d(artifact**2, 15, 1, 7, count_include_pad=False)
    body = image > hu_to_mu(torch.tensor(-300.0)).item()
    usual = torch.stack(
        [
            h[b].quantile(0.25) if b.any() else h.new_tensor(0.0)
            for h, b in zip(here, body, strict=True)
        ]
    )
    return artifact * (1 - usual.view(-1, 1, 1, 1) / here.clamp_min(1e-12)).clamp_min(0)


def restored(result: Tensor, image: Tensor) -> Tensor:
    """The result `[B 1 H W]` with the values of air, lung, fat, muscle and bone that `image` has.

    Normalisation makes the generator blind to offset and gain, so what it answers in each tissue
    is learned, not measured. The median difference of input and output over the pixels near a
    tissue's value is that error, where most of them are free of artifacts; between tissues it is
    interpolated.
    """
    return torch.stack([_restored(r, i) for r, i in zip(result, image, strict=True)])


def _restored(result: Tensor, image: Tensor) -> Tensor:
    places, offsets = [], []
    hu, clipped = mu_to_hu(result), mu_to_hu(image.clip(*WINDOW))
    for tissue in TISSUES_HU:
        near = (hu - tissue).abs() < REACH_HU
        if int(near.sum()) >= ENOUGH:
            places.append(float(hu[near].median()))
            offsets.append(float((clipped[near] - hu[near]).median()))
    if not places:
        return result
    offset = np.interp(hu.cpu().numpy(), places, offsets)
    return result + torch.from_numpy(offset).to(result) * (MU_WATER / 1000)


TRUST_HU = 50.0
"""Change by the network, HU, at which it and NMAR count the same. For the weights in the package:
better ones deserve more."""


SEVERE_HU = 250.0
"""Change by NMAR, HU, at which it counts as much as the network: what a weak network has not seen
it leaves alone, and its own change does not tell."""


READS = frozenset({"image", "metal", "sinogram", "trace"})
"""Fields of `Scan` that `consistent` needs."""


def consistent(shown: Tensor, image: Tensor, scan: Scan) -> Tensor:
    """The slices of `scan` with the metal trace filled in from a network's image, 1/cm.

    shown: what the network made, `[B 1 H W]` in 1/cm, of `image`, the slices as they came. scan:
    the same slices completed by `READS`, projected again.
    """
    assert scan.metal is not None
    prior = believed(shown, image, nmar_image(scan))
    return from_prior(scan, smooth(torch.where(scan.metal, MU_WATER, prior)), additive)


def believed(shown: Tensor, image: Tensor, other: Tensor) -> Tensor:
    """`shown` where the artifact is slight, `other` where it is strong, `[B 1 H W]`, 1/cm.

    The weight of `shown` is 1 / (1 + (its change / TRUST_HU)^2 + (other's change / SEVERE_HU)^2),
    changes of `image` being means over 9 x 9 pixels.
    """
    doubt = sum(
        (_near(x - image) / (hu * MU_WATER / 1000)) ** 2
        for x, hu in ((shown, TRUST_HU), (other, SEVERE_HU))
    )
    return other + (shown - other) / (1 + doubt)


def _near(change: Tensor) -> Tensor:
    return functional.avg_pool2d(change.abs(), 9, 1, 4, count_include_pad=False)
