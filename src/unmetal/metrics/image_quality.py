"""PSNR, RMSE and the three SSIMs in use, each a batch `[B 1 H W]` to `[B]`.

Everything is float64 inside. SSIM is that of Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 13
(2004), with K1 = 0.01 and K2 = 0.03; papers differ in the window and in what they do before, by
more than their methods differ, so the variants have names:

- `ssim`: scikit-image's default, 7x7 uniform window, sample covariance. The ADN paper's.
- `ssim_gaussian`: 11x11 Gaussian of 1.5 px, averaged inside a mask. The AAPM challenge's.
- `ssim_wang`: the same Gaussian after shrinking large images, as the authors' ssim.m does.
"""

import torch
from torch import Tensor
from torch.nn import functional

from unmetal.physics.derive import dilate
from unmetal.units import MU_WATER, WINDOW, mu_to_unit

HU_RANGE = (-1000.0, 2000.0)
"""HU outside of which `hu_protocol` sees no difference."""

SOFT_TISSUE_HU = 100.0
"""What `hu_protocol` puts in place of metal before SSIM. Source: AAPM CT-MAR challenge."""


def rmse(output: Tensor, truth: Tensor, mask: Tensor | None = None) -> Tensor:
    """Root of the mean squared error, in the images' unit, where `mask` (bool) is; NaN where it is
    nowhere."""
    return _mean((output.double() - truth.double()) ** 2, mask).sqrt()


def psnr(
    output: Tensor, truth: Tensor, data_range: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """Peak signal to noise ratio in dB where `mask` (bool) is; infinite for equal images."""
    return 20 * torch.log10(data_range / rmse(output, truth, mask))


def ssim(output: Tensor, truth: Tensor, data_range: float = 1.0) -> Tensor:
    """SSIM as scikit-image's default: 7x7 uniform window, whole windows only."""
    window = torch.ones(7, dtype=torch.float64) / 7
    return _mean(_ssim_map(output, truth, data_range, window, bessel=49 / 48))


def ssim_gaussian(
    output: Tensor, truth: Tensor, data_range: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """SSIM with an 11x11 Gaussian of 1.5 px, mean of the map where `mask` (bool) is.

    Edges are mirrored, as scikit-image's `gaussian_weights=True, use_sample_covariance=False`.
    """
    output, truth = (_mirror(x, 5, 5) for x in (output, truth))
    return _mean(_ssim_map(output, truth, data_range, _gaussian()), mask)


def ssim_wang(output: Tensor, truth: Tensor, data_range: float = 1.0) -> Tensor:
    """SSIM as the authors' ssim.m: 11x11 Gaussian of 1.5 px, whole windows only, after shrinking
    by f = max(1, round(min(H, W) / 256)): f x f means, every f-th of them.

    So 256 px stay as they are, and 416 or 512 px are halved.
    """
    # As MATLAB's round: halves up.
    factor = max(1, int(min(output.shape[-2:]) / 256 + 0.5))
    before = (factor - 1) // 2
    output, truth = (
        functional.avg_pool2d(_mirror(x.double(), before, factor - 1 - before), factor)
        for x in (output, truth)
    )
    return _mean(_ssim_map(output, truth, data_range, _gaussian()))


def adn_protocol(output: Tensor, truth: Tensor, corrupted: Tensor) -> dict[str, Tensor]:
    """The ADN paper's evaluation, images `[B 1 H W]` in 1/cm to `[B]` each.

    Everything is clipped to `units.WINDOW` and scaled to [0, 1]. Where the corrupted image as it
    came is above the window (metal, but also its brightest streaks) output and truth are both 0.5:
    no error there, but it counts in the mean. Source: released ADN code (test.py).

    `psnr` (dB) and `ssim` are the paper's; `ssim_wang` is the other definition that is around;
    `rmse_hu` is over the pixels below the window, of the clipped images.
    """
    # The corrupted image decides, so that all methods are scored on the same pixels.
    bright = corrupted > WINDOW[1]
    output, truth = (mu_to_unit(x).masked_fill(bright, 0.5) for x in (output, truth))
    unit_in_hu = (WINDOW[1] - WINDOW[0]) * 1000 / MU_WATER
    return {
        "psnr": psnr(output, truth),
        "ssim": ssim(output, truth),
        "ssim_wang": ssim_wang(output, truth),
        "rmse_hu": rmse(output, truth, ~bright) * unit_in_hu,
    }


def hu_protocol(output: Tensor, truth: Tensor, body: Tensor, metal: Tensor) -> dict[str, Tensor]:
    """Evaluation on clinical values, images `[B 1 H W]` in HU to `[B]` each.

    Values are clipped to `HU_RANGE`; pixels count that are in `body` (bool `[B 1 H W]`) and not
    within 2 px of `metal` (bool `[B 1 H W]`). `psnr` is for a range of 3000 HU. `ssim` is the mean
    of the Gaussian SSIM map over these pixels; what is near metal is 100 HU in both images, so that
    nothing leaks from it through the window (as the AAPM CT-MAR challenge does it).
    """
    low, high = HU_RANGE
    near = dilate(metal, 2)
    counted = body & ~near
    output, truth = output.clip(low, high), truth.clip(low, high)
    # A constant in both images has no error and no structure.
    filled = [x.masked_fill(near, SOFT_TISSUE_HU) for x in (output, truth)]
    return {
        "psnr": psnr(output, truth, high - low, counted),
        "ssim": ssim_gaussian(filled[0], filled[1], high - low, counted),
        "rmse_hu": rmse(output, truth, counted),
    }


def _ssim_map(
    x: Tensor, y: Tensor, data_range: float, window: Tensor, bessel: float = 1.0
) -> Tensor:
    """SSIM at every whole window, `[B 1 H-n+1 W-n+1]`; `window` `[n]` is one axis of it.

    `bessel` turns the variances of the window into those of a sample.
    """
    x, y = x.double(), y.double()
    # E[x], E[y], E[x^2], E[y^2] and E[xy] in each window; variances and covariance follow.
    mx, my, xx, yy, xy = (_filter(z, window) for z in (x, y, x * x, y * y, x * y))
    vx, vy, cov = bessel * (xx - mx * mx), bessel * (yy - my * my), bessel * (xy - mx * my)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    # SSIM = luminance x (contrast x structure), the latter two in one fraction (c3 = c2 / 2).
    luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    structure = (2 * cov + c2) / (vx + vy + c2)
    return luminance * structure


def _filter(x: Tensor, window: Tensor) -> Tensor:
    """Weighted sums over every whole window `[n n]`: `[B 1 H W]` -> `[B 1 H-n+1 W-n+1]`."""
    for axis in (-2, -1):
        size = x.shape[axis] - len(window) + 1
        total = torch.zeros_like(x.narrow(axis, 0, size))
        # A quarter of the time of a float64 convolution on a CPU.
        for i, weight in enumerate(window.tolist()):
            total.add_(x.narrow(axis, i, size), alpha=weight)
        x = total
    return x


def _gaussian() -> Tensor:
    """One axis of the 11x11 Gaussian of 1.5 px."""
    weights = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / (2 * 1.5**2))
    return weights / weights.sum()


def _mirror(x: Tensor, before: int, after: int) -> Tensor:
    """`[B 1 H W]` with mirrored edges, the edge pixel itself repeated first."""
    for axis in (-2, -1):
        size = x.shape[axis]
        index = torch.arange(-before, size + after, device=x.device)
        # -1 becomes 0, -2 becomes 1; likewise at the other end.
        index = torch.where(index < 0, -index - 1, index)
        x = x.index_select(axis, torch.where(index >= size, 2 * size - 1 - index, index))
    return x


def _mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over everything but the batch, where `mask` (bool) is: `[B ...]` -> `[B]`."""
    if mask is None:
        return values.flatten(1).mean(1)
    return torch.where(mask, values, 0).flatten(1).sum(1) / mask.flatten(1).sum(1)
