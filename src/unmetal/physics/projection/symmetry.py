"""Rotational and mirror symmetry of the views: an eighth of the system matrix is enough.

With V views, n of them a quarter turn apart, and W = V / n:

- view k + c W of an image is view k of the image turned by -c quarters;
- view (c + 1) W - k, its bins reversed, is view k of that image turned by 1 - c quarters and
  then flipped upside down.

So rows for views 0 to W / 2 say everything: about 1 / (2 n) of the matrix, an eighth of it for a
fan. The copies of the image that stand in for the others are the columns of one product, which
a sparse matrix is read once for.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unmetal.physics.projection.geometry import Geometry


@dataclass(frozen=True)
class Symmetry:
    """Which views of a geometry a matrix stores, and how the others follow from them."""

    views: int
    quarters: int
    """n, quarter turns that map views onto views; 1 where there are none and all are stored."""

    @classmethod
    def of(cls, geometry: Geometry) -> "Symmetry":
        """The symmetry of a geometry: none unless a quarter turn has an even number of views."""
        quarters = round(geometry.span / (math.pi / 2))
        return cls(geometry.views, quarters if geometry.views % (2 * quarters) == 0 else 1)

    @property
    def stored(self) -> int:
        """Views to store, the first ones."""
        return self.views if self.quarters == 1 else self.views // self.quarters // 2 + 1

    @property
    def copies(self) -> int:
        """Copies of an image, columns of the product."""
        return 1 if self.quarters == 1 else 2 * self.quarters

    def copy(self, image: Tensor) -> Tensor:
        """Turned and flipped copies of the images as columns: `[B 1 N N]` -> `[N*N, copies*B]`."""
        if self.quarters == 1:
            return image.flatten(1).T
        # The image turned by -1 to n - 1 quarters; those that stand in for mirrored views are
        # flipped.
        turned = [torch.rot90(image, -c, (2, 3)) for c in range(-1, self.quarters)]
        flipped = [one.flip(2) for one in turned[:-1]]
        return torch.stack(turned[1:] + flipped).flatten(3).flatten(0, 2).T

    def merge(self, columns: Tensor, size: int) -> Tensor:
        """The transpose of `copy`: `[N*N, copies*B]` -> `[B 1 N N]`."""
        copies = columns.T.reshape(self.copies, -1, 1, size, size)
        if self.quarters == 1:
            return copies[0]
        # Turn and flip every copy back, and add: the transpose of making them.
        image = torch.zeros_like(copies[0])
        for c in range(self.quarters):
            image += torch.rot90(copies[c], c, (2, 3))
            image += torch.rot90(copies[self.quarters + c].flip(2), c - 1, (2, 3))
        return image

    def spread(self, product: Tensor, bins: int) -> Tensor:
        """Stored views of the copies `[stored*D, copies*B]` -> all views `[B 1 V D]`."""
        # `[stored D copies B]`: the first n copies give views k + c W as they are, the others
        # mirrored.
        rows = product.reshape(self.stored, bins, self.copies, -1)
        if self.quarters == 1:
            return rows[:, :, 0].permute(2, 0, 1)[:, None]
        own, mirrored = rows.split(self.quarters, 2)
        # Mirrored views run backwards, in bins too; the first and the middle one have no partner.
        rest = mirrored[1:-1].flip((0, 1))
        return torch.cat([own, rest]).permute(3, 2, 0, 1).flatten(1, 2)[:, None]

    def gather(self, sinogram: Tensor) -> Tensor:
        """The transpose of `spread`: `[B 1 V D]` -> `[stored*D, copies*B]`."""
        if self.quarters == 1:
            return sinogram.flatten(1).T
        # `[B n W D]` to `[W D n B]`: view within a quarter, bin, quarter, slice.
        views = sinogram[:, 0].unflatten(1, (self.quarters, -1)).permute(2, 3, 1, 0)
        own, rest = views[: self.stored], views[self.stored :]
        nothing = torch.zeros_like(own[:1])
        mirrored = torch.cat([nothing, rest.flip((0, 1)), nothing])
        return torch.cat([own, mirrored], 2).flatten(2).flatten(0, 1)
