"""Whole evaluations: what is clipped, what is masked, and which numbers come out."""

from torch import Tensor
from torch.nn import functional

from unmetal.metrics.image import psnr, rmse, ssim, ssim_gaussian, ssim_wang
from unmetal.units import MU_WATER, WINDOW, mu_to_unit

HU_RANGE = (-1000.0, 2000.0)
"""HU outside of which `hu_protocol` sees no difference."""

SOFT_TISSUE_HU = 100.0
"""What `hu_protocol` puts in place of metal before SSIM. Source: AAPM CT-MAR challenge."""


def adn_protocol(output: Tensor, truth: Tensor, corrupted: Tensor) -> dict[str, Tensor]:
    """The ADN paper's evaluation, images `[B 1 H W]` in 1/cm to `[B]` each.

    Everything is clipped to `units.WINDOW` and scaled to [0, 1]. Where the corrupted image as it
    came is above the window (metal, but also its brightest streaks) output and truth are both 0.5:
    no error there, but it counts in the mean. Source: released ADN code (test.py).

    `psnr` (dB) and `ssim` are the paper's; `ssim_wang` is the other definition that is around;
    `rmse_hu` is over the pixels below the window, of the clipped images.
    """
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
    filled = [x.masked_fill(near, SOFT_TISSUE_HU) for x in (output, truth)]
    return {
        "psnr": psnr(output, truth, high - low, counted),
        "ssim": ssim_gaussian(filled[0], filled[1], high - low, counted),
        "rmse_hu": rmse(output, truth, counted),
    }


def dilate(mask: Tensor, pixels: int) -> Tensor:
    """A mask and all within `pixels` steps along rows and columns: bool `[B 1 H W]`."""
    grown = mask.float()
    for _ in range(pixels):
        rows = functional.max_pool2d(grown, (3, 1), 1, (1, 0))
        grown = rows.maximum(functional.max_pool2d(grown, (1, 3), 1, (0, 1)))
    return grown > 0
