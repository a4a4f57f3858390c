"""Rotational and mirror symmetry of the views: an eighth of the rays says everything.

Count the views of a whole turn: V for a fan, 2 V for parallel views, whose view k + V is view k
with its bins reversed. With W of them to a quarter turn:

- view k + c W of an image is view k of the image turned by -c quarters;
- view (c + 1) W - k, its bins reversed, is view k of that image turned by 1 - c quarters and
  then flipped upside down.

So the views 0 to W / 2 of eight copies of the image are all of its views, and a ray is worked out
once for eight. Parallel views see every line twice; there half of the bins, or half of the rows of
pixels, are enough.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Geometry, Parallel

COPIES = 8

SECOND_HALF = [2, 3, 6, 7]
"""Copies that are the others turned by half a turn."""


@dataclass(frozen=True)
class Symmetry:
    """Which views and bins stand for all, and where the others are found in their copies."""

    views: int
    bins: int
    parallel: bool

    @staticmethod
    @lru_cache(maxsize=16)
    def of(geometry: Geometry) -> "Symmetry":
        """The symmetry of a geometry."""
        return Symmetry(geometry.views, geometry.bins, isinstance(geometry, Parallel))

    @property
    def quarter(self) -> int:
        """W, views to a quarter turn; 0 where a quarter turn does not map views onto views: then
        all are stored, and of the copies only the first counts."""
        turn = 2 * self.views if self.parallel else self.views
        return turn // 4 if turn % 4 == 0 else 0

    @property
    def stored(self) -> int:
        """Views to store, the first ones."""
        return self.quarter // 2 + 1 if self.quarter else self.views

    @property
    def halved(self) -> bool:
        """Whether half of the bins or rows are enough."""
        return self.parallel and self.quarter > 0

    @property
    def first_bin(self) -> int:
        """Bins to store begin here: the middle one, where half is enough."""
        return self.bins // 2 if self.halved else 0

    def rows(self, size: int) -> int:
        """Rows of pixels of an image of `size` rows to reconstruct in each copy, the first ones."""
        return (size + 1) // 2 if self.halved else size

    @cached_property
    def view(self) -> Tensor:
        """int64 `[stored 8]`: the view that each copy's stored view is; V more where its bins are
        reversed; 2 V where it is one that another copy has already."""
        k = torch.arange(self.stored)[:, None]
        nothing = torch.full((self.stored, 4), 2 * self.views)
        if not self.quarter:
            return torch.cat([k, nothing[:, :3], nothing], 1)
        c = torch.arange(4)
        own, mirrored = k + c * self.quarter, (c + 1) * self.quarter - k
        # The first view and the one in the middle of a quarter are their own mirror images.
        new = (k > 0) & (2 * k < self.quarter)
        view = torch.cat([own, torch.where(new, mirrored, -1)], 1)
        reverse = torch.tensor([False] * 4 + [True] * 4)
        if self.parallel:
            # The second half of the turn is the first, seen from behind.
            view, reverse = view % self.views, reverse ^ (view >= self.views)
        there = torch.cat([torch.ones_like(own, dtype=torch.bool), new.expand_as(own)], 1)
        return torch.where(there, view + self.views * reverse, 2 * self.views)

    @cached_property
    def place(self) -> Tensor:
        """int64 `[V D]`: where each ray is found in `[stored, bins from first_bin on, 8]`."""
        ray = torch.arange(self.stored * (self.bins - self.first_bin) * COPIES)
        ray = ray.reshape(self.stored, -1, COPIES)
        # Each ray is one of its view's, or of the view's with its bins reversed, or both.
        place = torch.full((2 * self.views + 1, self.bins), -1)
        place[self.view, self.first_bin :] = ray.transpose(1, 2)
        forward, reversed_ = place[: self.views], place[self.views : -1].flip(1)
        return torch.where(forward >= 0, forward, reversed_)

    def split(self, sinogram: Tensor) -> Tensor:
        """Each copy's stored views, `[B V D]` -> `[stored D B 8]`; what another has is zero."""
        every = torch.cat([sinogram, sinogram.flip(-1), torch.zeros_like(sinogram[:, :1])], 1)
        return every[:, self.view.to(sinogram.device)].permute(1, 3, 0, 2)

    def join(self, views: Tensor) -> Tensor:
        """The transpose of `split`: `[stored D B 8]` -> `[B V D]`."""
        every = views.new_zeros(views.shape[2], 2 * self.views + 1, self.bins)
        codes = self.view.flatten().to(views.device)
        every.index_add_(1, codes, views.permute(2, 0, 3, 1).flatten(1, 2))
        return every[:, : self.views] + every[:, self.views : -1].flip(-1)

    def once(self, copied: Tensor) -> Tensor:
        """Copies `[N N B 8]`, changed in place: where half of the rows are enough, the middle one
        of an odd number counts once and not twice."""
        if self.halved and len(copied) % 2:
            copied[len(copied) // 2, ..., SECOND_HALF] = 0
        return copied


def pick(sums: Tensor, place: Tensor) -> Tensor:
    """Sums of the stored rays `[R B 8]` as a sinogram `[B V D]`: each ray from its place in
    `[R 8]`, int64 `[V D]`."""
    return sums.transpose(0, 1).flatten(1)[:, place.to(sums.device)]


def put(sinogram: Tensor, place: Tensor, rays: int) -> Tensor:
    """The transpose of `pick`: `[B V D]` -> `[rays B 8]`."""
    sums = sinogram.new_zeros(len(sinogram), rays * COPIES)
    sums[:, place.to(sums.device)] = sinogram
    return sums.unflatten(1, (rays, COPIES)).transpose(0, 1)


def copies(image: Tensor, border: tuple[int, int] = (0, 0)) -> Tensor:
    """Eight copies of square images, turned and flipped: `[B N N]` -> `[N N B 8]`, contiguous, with
    so many columns of zeros before and behind."""
    batch, size, _ = image.shape
    copied = image.new_zeros(size, size + sum(border), batch, COPIES)
    inner = copied[:, border[0] : border[0] + size].permute(2, 0, 1, 3)
    for c in range(4):
        inner[..., c] = torch.rot90(image, -c, (1, 2))
        inner[..., 4 + c] = torch.rot90(image, 1 - c, (1, 2)).flip(1)
    return copied


def merge(copied: Tensor) -> Tensor:
    """The transpose of `copies` without a border: `[N N B 8]` -> `[B N N]`."""
    each = copied.permute(2, 0, 1, 3)
    image = torch.zeros_like(each[..., 0])
    for c in range(4):
        image += torch.rot90(each[..., c], c, (1, 2))
        image += torch.rot90(each[..., 4 + c].flip(1), c - 1, (1, 2))
    return image
