"""How much of the artifact is left, and how well the rest is copied: PSNR mixes the two."""

from torch import Tensor

from unmetal.metrics.image_quality import psnr, rmse
from unmetal.units import WINDOW, mu_to_unit


def left_and_copy(
    output: Tensor, output_of_free: Tensor, image: Tensor, free: Tensor, metal: Tensor
) -> dict[str, Tensor]:
    """`left` and `copy`, `[B]` each, of a method's outputs for a scan `image` and for `free`, the
    same scan without metal; images `[B 1 H W]` in 1/cm, metal bool `[B 1 H W]`.

    `left`: rms(output - output_of_free) / rms(image - free) outside the metal, 1 for a method that
    returns its input, 0 for one that removes every trace or returns one picture for every input;
    `copy` tells those two apart: the PSNR in dB of output_of_free against free.
    """
    # Networks cannot change anything outside of the window.
    output, output_of_free, image, free = (
        x.clip(*WINDOW) for x in (output, output_of_free, image, free)
    )
    # Inside the metal there is nothing to correct, and its brightness would dominate.
    artifact = rmse(image, free, ~metal)
    return {
        "left": rmse(output, output_of_free, ~metal) / artifact,
        "copy": psnr(mu_to_unit(output_of_free), mu_to_unit(free)),
    }
