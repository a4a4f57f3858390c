"""Where rays run: image grids and scanner geometries, in cm and radians.

Conventions, stated once for the whole package (Kak and Slaney, Principles of Computerized
Tomographic Imaging, chapter 3):

- x grows with the column, y grows *against* the row (up); the origin is the axis of rotation.
- A line is {(x, y): x cos(theta) + y sin(theta) = t}.
- A fan's source is at `source * (-sin(beta), cos(beta))`, so beta = 0 looks down from the top; a
  ray at fan angle gamma is the line theta = beta + gamma, t = source * sin(gamma).
- View k is at angle k / views * span; bin i is at (i - (bins - 1) / 2) * pitch.
- A sinogram is `[... views bins]`.

To other tools: MATLAB's radon and fanbeam use the same angles (theta counterclockwise, y up) but
rotate about pixel floor((N + 1) / 2); scikit-image's radon is `[bins views]` with the same theta
and rotates about pixel N // 2; ASTRA's angles start a quarter turn later and its rows run down.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Image grid: size, pixel and axis of rotation."""

    height: int
    width: int
    pixel: float
    """Edge of a square pixel, cm."""
    axis: tuple[float, float] | None = None
    """(row, column) of the axis of rotation in pixel indices, both on pixels or both between
    them, so that a quarter turn maps pixels onto pixels. None: the middle of the image, or half a
    pixel below it where one side is odd and the other even."""

    def __post_init__(self) -> None:
        # In half pixels: both even (on pixels) or both odd (between pixels).
        row, column = (2 * place for place in self.center)
        if not (row.is_integer() and column.is_integer() and (row - column) % 2 == 0):
            raise ValueError(f"axis {self.axis}: both on pixels or both between them")

    @cached_property
    def center(self) -> tuple[float, float]:
        """(row, column) of the axis of rotation."""
        if self.axis is not None:
            return self.axis
        return (self.height - 1 + (self.width - self.height) % 2) / 2, (self.width - 1) / 2

    def x(self) -> Tensor:
        """`[W]` float64, cm: column centers."""
        return (torch.arange(self.width, dtype=torch.float64) - self.center[1]) * self.pixel

    def y(self) -> Tensor:
        """`[H]` float64, cm: row centers, falling."""
        return (self.center[0] - torch.arange(self.height, dtype=torch.float64)) * self.pixel

    @property
    def radius(self) -> float:
        """Distance in cm from the axis to the farthest corner of the image."""
        row, column = self.center
        # Half a pixel more: to the corner of the outermost pixel, not to its center.
        rows = max(row, self.height - 1 - row) + 0.5
        columns = max(column, self.width - 1 - column) + 0.5
        return math.hypot(rows, columns) * self.pixel

    def in_pixels(self) -> "Grid":
        """The same grid with a pixel as the unit of length."""
        return replace(self, pixel=1.0)

    def squared(self) -> tuple["Grid", tuple[int, int, int, int]]:
        """The smallest square grid about the same axis that a quarter turn maps onto itself, and
        the padding (left, right, top, bottom) that takes this grid to it."""
        row, column = self.center
        # The farther side decides on each axis, so that the axis ends up in the middle.
        reach = max(row, self.height - 1 - row, column, self.width - 1 - column)
        size = round(2 * reach) + 1
        left, top = round(reach - column), round(reach - row)
        padding = (left, size - self.width - left, top, size - self.height - top)
        return Grid(size, size, self.pixel), padding


@dataclass(frozen=True)
class Geometry(ABC):
    """Views and bins of a scanner, for projection and reconstruction."""

    views: int
    """Number of view angles V."""
    bins: int
    """Number of detector bins D."""
    pitch: float
    """Distance between bins; each geometry says where it is measured."""
    span: ClassVar[float]
    """Angle that the views cover, radians."""

    @property
    @abstractmethod
    def pitch_at_axis(self) -> float:
        """cm between rays where the central one crosses the axis of rotation."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The same geometry with every length multiplied."""

    @abstractmethod
    def rays(self) -> tuple[Tensor, Tensor]:
        """theta (radians) and t (cm) of every ray, float64 `[views bins]` each."""

    @abstractmethod
    def locate(self, x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """Where the points (x, y), cm, are seen from view angles (radians): the fractional bin,
        and the weight of that view in filtered backprojection; all broadcast."""

    @abstractmethod
    def weight(self) -> Tensor:
        """float64 `[bins]`: factor of each ray before the filter."""

    def ramp(self) -> Tensor:
        """float64 `[2 bins - 1]`: the band-limited ramp in the space of bins, its middle at
        index bins - 1, times the bin pitch and the angle between views."""
        pitch = self.pitch_at_axis
        return discrete_ramp(self.bins, pitch) * (pitch * self.span / self.views)


def angles(geometry: Geometry) -> Tensor:
    """float64 `[views]`, radians: the angle of each view."""
    return torch.arange(geometry.views, dtype=torch.float64) / geometry.views * geometry.span


def offsets(bins: int, pitch: float) -> Tensor:
    """float64 `[bins]`: bin centers, symmetric about zero, in the unit of `pitch`."""
    return (torch.arange(bins, dtype=torch.float64) - (bins - 1) / 2) * pitch


def discrete_ramp(bins: int, pitch: float) -> Tensor:
    """float64 `[2 bins - 1]`, 1/pitch^2: Kak and Slaney, equation 3.61. Sampling the ramp in space
    rather than in frequency is what keeps the mean of the image right."""
    # h(0) = 1 / (4 pitch^2), h(n) = 0 for even n, -1 / (pi n pitch)^2 for odd n (eq. 3.61).
    n = torch.arange(1 - bins, bins)
    odd = -1 / (math.pi * n.double().where(n != 0, torch.tensor(1.0)) * pitch) ** 2
    return torch.where(n % 2 == 0, torch.zeros_like(odd), odd).where(
        n != 0, torch.tensor(1 / (4 * pitch**2), dtype=torch.float64)
    )


@dataclass(frozen=True)
class Parallel(Geometry):
    """Parallel beam over half a turn; `pitch` is cm between rays."""

    span = math.pi

    @property
    def pitch_at_axis(self) -> float:
        """See `Geometry.pitch_at_axis`."""
        return self.pitch

    def scaled(self, factor: float) -> Self:
        """See `Geometry.scaled`."""
        return replace(self, pitch=self.pitch * factor)

    def rays(self) -> tuple[Tensor, Tensor]:
        """See `Geometry.rays`."""
        theta = angles(self)[:, None].expand(-1, self.bins)
        return theta, offsets(self.bins, self.pitch).expand_as(theta)

    def locate(self, x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """See `Geometry.locate`."""
        t = x * angle.cos() + y * angle.sin()
        return t / self.pitch + (self.bins - 1) / 2, torch.ones_like(t)

    def weight(self) -> Tensor:
        """See `Geometry.weight`."""
        return torch.ones(self.bins, dtype=torch.float64)


@dataclass(frozen=True)
class MatlabParallel(Parallel):
    """Parallel beam that sees a pixel as MATLAB's radon does: as four points a quarter of a pixel
    off its center, each split linearly between the two nearest bins."""


@dataclass(frozen=True)
class Fan(Geometry):
    """Fan beam over a whole turn."""

    source: float
    """cm from the source to the axis of rotation."""
    span = 2 * math.pi

    @abstractmethod
    def gamma(self) -> Tensor:
        """float64 `[bins]`: angle of each ray from the central one, radians."""

    def rays(self) -> tuple[Tensor, Tensor]:
        """See `Geometry.rays`."""
        # The line of a ray at fan angle gamma: theta = beta + gamma, t = source sin(gamma).
        gamma = self.gamma()
        theta = angles(self)[:, None] + gamma
        return theta, (self.source * gamma.sin()).expand_as(theta)


@dataclass(frozen=True)
class FanArc(Fan):
    """Fan beam with bins at equal angles on an arc about the source; `pitch` is in radians."""

    @property
    def pitch_at_axis(self) -> float:
        """See `Geometry.pitch_at_axis`."""
        return self.pitch * self.source

    def scaled(self, factor: float) -> Self:
        """See `Geometry.scaled`."""
        return replace(self, source=self.source * factor)

    def gamma(self) -> Tensor:
        """See `Fan.gamma`."""
        return offsets(self.bins, self.pitch)

    def locate(self, x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """See `Geometry.locate`. The weight is 1 / distance^2 from the source."""
        # Coordinates seen from the source: across the central ray, and along it.
        across = x * angle.cos() + y * angle.sin()
        along = self.source + x * angle.sin() - y * angle.cos()
        gamma = torch.atan2(across, along)
        return gamma / self.pitch + (self.bins - 1) / 2, 1 / (across**2 + along**2)

    def weight(self) -> Tensor:
        """See `Geometry.weight`: Kak and Slaney, equation 3.95."""
        return self.source * self.gamma().cos()

    def ramp(self) -> Tensor:
        """See `Geometry.ramp`: Kak and Slaney, equation 3.96."""
        # g(n) = h(n) / 2 (gamma / sin(gamma))^2: angles, not lengths, are sampled evenly.
        n = torch.arange(1 - self.bins, self.bins, dtype=torch.float64) * self.pitch
        stretch = torch.where(n == 0, torch.ones_like(n), n / n.sin()) ** 2
        ramp = discrete_ramp(self.bins, self.pitch) * stretch / 2
        return ramp * (self.pitch * self.span / self.views)


@dataclass(frozen=True)
class FanFlat(Fan):
    """Fan beam with bins at equal distances on a straight detector.

    `pitch` is cm between bins *at the detector*; at the axis it is smaller by the magnification
    (source + detector) / source.
    """

    detector: float
    """cm from the axis of rotation to the detector."""

    @property
    def pitch_at_axis(self) -> float:
        """See `Geometry.pitch_at_axis`."""
        return self.pitch * self.source / (self.source + self.detector)

    def scaled(self, factor: float) -> Self:
        """See `Geometry.scaled`."""
        lengths = {name: getattr(self, name) * factor for name in ("pitch", "source", "detector")}
        return replace(self, **lengths)

    def gamma(self) -> Tensor:
        """See `Fan.gamma`."""
        # Bins are equidistant on the detector, brought to the axis by the magnification.
        return torch.atan(offsets(self.bins, self.pitch_at_axis) / self.source)

    def locate(self, x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
        """See `Geometry.locate`. The weight is 1 / (relative depth)^2."""
        across = x * angle.cos() + y * angle.sin()
        # U of Kak and Slaney, section 3.4.2: distance from the source along the central ray, over
        # the distance from the source to the axis.
        depth = 1 + (x * angle.sin() - y * angle.cos()) / self.source
        return across / depth / self.pitch_at_axis + (self.bins - 1) / 2, 1 / depth**2

    def weight(self) -> Tensor:
        """See `Geometry.weight`: Kak and Slaney, equation 3.107."""
        s = offsets(self.bins, self.pitch_at_axis)
        return self.source / (self.source**2 + s**2).sqrt()

    def ramp(self) -> Tensor:
        """See `Geometry.ramp`."""
        # Half, for a whole turn measures each line twice.
        return super().ramp() / 2
