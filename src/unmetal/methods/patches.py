"""Training patches of slices: at random places, or most of them where errors are large."""

import torch
from torch import Tensor
from torch.nn import functional


def crop(images: Tensor, corners: Tensor, side: int) -> Tensor:
    """Patches of images `[B C H W]`, `[B*N C side side]`; corners: first rows and columns, int
    `[B N 2]`."""
    return torch.stack(
        [
            image[:, row : row + side, column : column + side]
            for image, some in zip(images, corners.tolist(), strict=True)
            for row, column in some
        ]
    )


def random_corners(images: Tensor, count: int, side: int) -> Tensor:
    """Corners `[B count 2]` of patches of `images`, `[B C H W]`, uniformly distributed."""
    free = [size - side + 1 for size in images.shape[-2:]]
    drawn = [torch.randint(most, (len(images), count)) for most in free]
    return torch.stack(drawn, dim=-1)


def hard_negative_corners(
    errors: Tensor, count: int, side: int, step: int = 8, share: float = 0.6
) -> Tensor:
    """Corners `[B count 2]` of patches, most of them where `errors`, `[B C H W]`, are large.

    On a grid of `step` pixels, `share` of the patches have the largest squared error in one of the
    channels, in equal parts; the rest is random. None comes twice, so there are fewer where the
    grid has not as many. Source: released CNNMAR (dataGen.m).
    """
    # Mean squared error of each patch of the grid, [B C rows columns]; then [B C places].
    squared = functional.avg_pool2d(errors**2, side, step)
    columns = squared.shape[-1]
    squared = squared.flatten(2)
    count = min(count, squared.shape[-1])
    part = round(round(share * count) / errors.shape[1])
    # Each channel in turn takes its `part` worst places of those that are free, bool [B places].
    free = torch.ones_like(squared[:, 0], dtype=torch.bool)
    chosen = []
    for channel in squared.unbind(1):
        chosen.append(channel.masked_fill(~free, -1).topk(part).indices)
        free.scatter_(1, chosen[-1], False)
    # The rest at random: the largest of random numbers at the places that are free.
    lots = torch.rand(free.shape, device=free.device).masked_fill(~free, -1)
    chosen.append(lots.topk(count - part * errors.shape[1]).indices)
    place = torch.cat(chosen, dim=1)
    return torch.stack([place // columns, place % columns], dim=-1) * step
