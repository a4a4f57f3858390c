"""The correction of slices whose metal is known: derive the sinogram, run the method, make a
network's image consistent with the rays that missed the metal, restore the detail that
re-projection cost.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from unmetal.methods.method import Method
from unmetal.physics.derive import complete
from unmetal.physics.scanner import reprojection
from unmetal.reduction.network_image import (
    CONSISTENCY_INPUTS,
    enforce_data_consistency,
    network_image,
)
from unmetal.scan import Scan
from unmetal.units import MU_WATER, hu_to_mu, mu_to_hu

DETAIL_HU = 20.0
"""Change, HU, at which half of the detail is given back."""


def correct_slices(
    method: Method,
    hu: np.ndarray,
    metal: np.ndarray,
    bodies: np.ndarray,
    pixel: float,
    device: torch.device,
) -> tuple[np.ndarray, np.ndarray | None]:
    """HU `[n H W]` with the artifacts reduced, metal and outside of the body not yet restored; and
    the absolute error that the method expects of that, HU `[n H W]`, if it expects one.

    hu: `[n H W]`, HU. metal, bodies: bool `[n H W]`. pixel: mm.
    """
    learned = method.input_size is not None
    # [n H W] -> [n 1 H W], in 1/cm.
    image = hu_to_mu(_as_batch(hu, device))
    height, width = hu.shape[1:]
    scan = Scan(image, reprojection(height, width, pixel / 10), _as_batch(metal, device))
    expected = None
    with torch.inference_mode():
        # 3. Derive what is missing: the sinogram by re-projection, the trace from the metal. The
        # scan's image then is the reconstruction of that sinogram, a little less sharp.
        scan = complete(scan, CONSISTENCY_INPUTS if learned else method.inputs, pixel)
        if learned:
            # 4. The network, at the size it was trained at.
            network = network_image(method, image, bodies)
            # 5. Its image is only a prior: rays that missed the metal keep what they measured.
            corrected = enforce_data_consistency(network, image, scan)
        else:
            # 4. and 5. A classical method completes the sinogram itself.
            corrected, expected = method.reduce_with_error(scan)
        if scan.sinogram is not None:
            # 6. Re-projection blurred the image; where nothing was corrected, undo that.
            corrected = restore_detail(corrected, scan.image, image)
        result = mu_to_hu(corrected)[:, 0].cpu().numpy()
        return result, None if expected is None else expected[:, 0].cpu().numpy()


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


def _as_batch(array: np.ndarray, device: torch.device) -> Tensor:
    """`[n H W]` as `[n 1 H W]` on the device."""
    # torch takes no views with negative strides, as mirrored slices are.
    return torch.from_numpy(np.ascontiguousarray(array))[:, None].to(device)
