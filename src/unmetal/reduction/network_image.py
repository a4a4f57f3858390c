"""The steps of a learned method: its network at the size it knows, then agreement with the rays.

A network sees a square about the body, resized to the side it was trained at: its instance norms
run over the whole slice, so the share of air must be as in training. What is pasted back at the
slice's own pixels is not the network's image but the *artifact* it found, input minus output. That
is smooth compared with the anatomy, so the slice keeps its own resolution and noise.

The network's image then serves as the prior of a completed sinogram: rays that missed the metal
keep what they measured, and the network decides only inside the metal trace.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.methods.method import Method
from unmetal.physics.completion.images import from_prior, nmar_image
from unmetal.physics.completion.inpaint import additive
from unmetal.physics.completion.prior import smooth
from unmetal.physics.frames import crop_resize, frame_of, paste_back
from unmetal.scan import Scan
from unmetal.units import MU_WATER, WINDOW, hu_to_mu, mu_to_hu

TISSUES_HU = (-1000.0, -800.0, -100.0, 50.0, 300.0)
"""Where the network's offset is measured: air, lung, fat, muscle, bone."""

REACH_HU = 60.0
"""Pixels within this of a tissue's value count towards its offset."""

ENOUGH = 200
"""Pixels that the offset of a tissue needs."""

TRUST_HU = 50.0
"""Change by the network, HU, at which it and NMAR count the same. For the weights in the package:
better ones deserve more."""

SEVERE_HU = 250.0
"""Change by NMAR, HU, at which it counts as much as the network. A weak network leaves alone what
it has not seen, so its own change does not show how strong the artifact is."""

CONSISTENCY_INPUTS = frozenset({"image", "metal", "sinogram", "trace"})
"""Fields of `Scan` that `enforce_data_consistency` needs."""


def network_image(method: Method, image: Tensor, bodies: np.ndarray) -> Tensor:
    """The image without the artifact that a network finds in it, `[B 1 H W]` in 1/cm.

    image: `[B 1 H W]`, 1/cm. bodies: bool `[B H W]`. What is above the network's window is left as
    it was. Restoring tissues and gating the artifact gave the least RMSE on validation patients
    (`benchmarks/native_size.py`, docs/adn.md).
    """
    assert method.input_size is not None
    frames = [frame_of(body) for body in bodies]
    # [B 1 H W] -> [B 1 size size]: each body fills its frame, as in training.
    pairs = zip(image, frames, strict=True)
    small = torch.stack([crop_resize(one, frame, method.input_size) for one, frame in pairs])
    result = correct_tissue_offsets(method.reduce(Scan(small)), small)
    # The network never saw what its window clips, so clipping is no artifact that it took away.
    artifact = wiener_gate(small.clip(*WINDOW) - result, small)
    # [B 1 size size] -> [B 1 H W], and only the artifact is resampled.
    every = zip(artifact, frames, image, strict=True)
    return image - torch.stack([paste_back(found, frame, one) for found, frame, one in every])


def wiener_gate(artifact: Tensor, image: Tensor) -> Tensor:
    """The artifact weighted by Wiener's 1 - (usual / here)^2, at least 0; all `[B 1 H W]`, 1/cm.

    `here` is its root mean square over 15 x 15 pixels; `usual`, the error that the network makes
    everywhere, is the lower quartile of that in the body.
    """
    here = F.avg_pool2d(artifact**2, 15, 1, 7, count_include_pad=False)
    body = image > hu_to_mu(torch.tensor(-300.0)).item()
    # [B]: one for each slice, 0 where there is no body. It is a mean square like `here`, so the
    # quotient below is squared already.
    pairs = zip(here, body, strict=True)
    usual = torch.stack([h[b].quantile(0.25) if b.any() else h.new_tensor(0.0) for h, b in pairs])
    return artifact * (1 - usual.view(-1, 1, 1, 1) / here.clamp_min(1e-12)).clamp_min(0)


def correct_tissue_offsets(result: Tensor, image: Tensor) -> Tensor:
    """The result with air, lung, fat, muscle and bone at their HU in the image; `[B 1 H W]`, 1/cm.

    Instance norm makes the generator blind to offset and gain, so the HU of each tissue in its
    output are learned, not measured. The median difference of input and output over the pixels
    near a tissue's HU is that error, as long as most of them are free of artifacts; between
    tissues it is interpolated.
    """
    return torch.stack([_offsets_corrected(r, i) for r, i in zip(result, image, strict=True)])


def _offsets_corrected(result: Tensor, image: Tensor) -> Tensor:
    """`correct_tissue_offsets` of one slice, `[1 H W]`."""
    found, offsets = [], []
    hu, clipped = mu_to_hu(result), mu_to_hu(image.clip(*WINDOW))
    for tissue in TISSUES_HU:
        near = (hu - tissue).abs() < REACH_HU
        if int(near.sum()) >= ENOUGH:
            found.append(float(hu[near].median()))
            offsets.append(float((clipped[near] - hu[near]).median()))
    if not found:
        return result
    # Piecewise linear in HU, and constant beyond the first and the last tissue.
    offset = np.interp(hu.cpu().numpy(), found, offsets)
    return result + torch.from_numpy(offset).to(result) * (MU_WATER / 1000)


def enforce_data_consistency(network: Tensor, image: Tensor, scan: Scan) -> Tensor:
    """The slices of `scan` with the metal trace filled in from the network's image, 1/cm.

    network: `[B 1 H W]` in 1/cm, what the network made of `image`, the slices as they came. scan:
    the same slices completed by `CONSISTENCY_INPUTS`, and so projected again.
    """
    assert scan.metal is not None
    prior = blend_priors(network, nmar_image(scan), image)
    # As in NMAR's prior image: the metal as water, then everything smoothed.
    return from_prior(scan, smooth(torch.where(scan.metal, MU_WATER, prior)), additive)


def blend_priors(network: Tensor, nmar: Tensor, image: Tensor) -> Tensor:
    """The network's image where the artifact is slight, NMAR's where it is strong; `[B 1 H W]`,
    1/cm.

    The network's weight is 1 / (1 + (its change / TRUST_HU)^2 + (NMAR's change / SEVERE_HU)^2),
    changes of `image` being means over 9 x 9 pixels.
    """
    doubt = sum(
        (_local_change(prior - image) / (hu * MU_WATER / 1000)) ** 2
        for prior, hu in ((network, TRUST_HU), (nmar, SEVERE_HU))
    )
    return nmar + (network - nmar) / (1 + doubt)


def _local_change(change: Tensor) -> Tensor:
    return F.avg_pool2d(change.abs(), 9, 1, 4, count_include_pad=False)
