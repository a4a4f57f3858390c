"""The artifact of one volume on another, slice by slice."""

import numpy as np
import torch

from unmetal.errors import InputError
from unmetal.methods.adn import ADN
from unmetal.methods.method import Method
from unmetal.scan import Volume
from unmetal.units import WINDOW, hu_to_mu, mu_to_hu


@torch.inference_mode()
def transfer_volume(affected: Volume, clean: Volume, method: Method) -> Volume:
    """`clean` with the artifacts of `affected`: what the network saw of it is replaced, and what
    was above its window stays on top.

    Raises `InputError` if the sizes do not fit or the method cannot do it.
    """
    if not isinstance(method, ADN):
        raise InputError(f"{type(method).__name__} cannot transfer artifacts; ADN can")
    (slices, *size), (wanted, *clean_size) = affected.hu.shape, clean.hu.shape
    if size != clean_size or slices not in {1, wanted}:
        raise InputError(
            f"the affected series is {slices} x {size[0]} x {size[1]}, the clean one "
            f"{wanted} x {clean_size[0]} x {clean_size[1]}: sizes must be equal"
        )
    device = next(method.parameters()).device
    result = np.empty_like(clean.hu)
    for i in range(wanted):
        x, y = (
            # `[H W]` HU to `[1 1 H W]` 1/cm; one affected slice serves all clean ones.
            hu_to_mu(torch.from_numpy(hu.astype(np.float32)))[None, None].to(device)
            for hu in (affected.hu[i % slices], clean.hu[i])
        )
        # What the window cuts off (metal, dense bone) the network cannot give back: added again.
        beyond = y - y.clip(*WINDOW)
        result[i] = mu_to_hu(method.transfer(x, y) + beyond)[0, 0].cpu().numpy()
    return clean.with_hu(result)
