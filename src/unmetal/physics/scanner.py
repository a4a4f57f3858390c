"""Scanners: a geometry, an image grid and a way to reconstruct, and those of the publications."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unmetal.physics.projection.fbp import Kernel, reconstruct
from unmetal.physics.projection.geometry import (
    Fan,
    FanArc,
    FanFlat,
    Geometry,
    Grid,
    MatlabParallel,
    Parallel,
)
from unmetal.physics.projection.projector import Backend, project
from unmetal.physics.projection.rebin import to_fan, to_parallel


@dataclass(frozen=True)
class CT:
    """Geometry, image grid and reconstruction of a scanner; a `unmetal.scan.Scanner`."""

    geometry: Geometry
    grid: Grid
    kernel: Kernel = "ram-lak"
    matlab: bool = False
    """Project and reconstruct through parallel views a pixel apart, as MATLAB's fanbeam and
    ifanbeam do, which blurs both; False follows the fan's own rays."""
    backend: Backend = "auto"
    truncated_bins: int = 0
    """Bins missing at each end of the detector, whose field of view is smaller than the image.
    Sinograms come without them; `reconstruct` extrapolates each view into them."""

    @property
    def pixel(self) -> float:
        """Edge of a pixel of its images, mm."""
        return 10 * self.grid.pixel

    def project(self, image: Tensor) -> Tensor:
        """Line integrals `[B 1 V D]` of `[B 1 H W]`; 1/cm becomes dimensionless, a mask cm."""
        if not self.matlab:
            # A detector that is too short: the outer bins are computed and cut off.
            whole = project(image, self.geometry, self.grid, self.backend)
            return whole[..., self.truncated_bins : whole.shape[-1] - self.truncated_bins]
        parallel, fan = self._parallel()
        return to_fan(project(image, parallel, self.grid, self.backend), parallel, fan)

    def trace(self, metal: Tensor) -> Tensor:
        """Rays that meet the metal: bool `[B 1 H W]` -> bool `[B 1 V D]`."""
        return self.hits_metal(self.project(metal.to(torch.float32)))

    def hits_metal(self, length: Tensor) -> Tensor:
        """Which path lengths (cm) are metal and not rounding: a thousandth of a pixel and more."""
        return length > 1e-3 * self.grid.pixel

    def reconstruct(self, sinogram: Tensor) -> Tensor:
        """Filtered backprojection: `[B 1 V D]` -> `[B 1 H W]` in 1/cm."""
        geometry = self.geometry
        if self.matlab:
            parallel, fan = self._parallel()
            sinogram, geometry = to_parallel(sinogram, fan, parallel), parallel
        # The filter is as wide as the view: a step at its ends would spoil the whole image.
        if self.truncated_bins:
            sinogram = extrapolate_truncated(sinogram, self.truncated_bins, self._missing_bins())
        image = reconstruct(sinogram, geometry, self.grid, self.kernel, self.backend)
        return image * self.fov_mask(image) if self.truncated_bins else image

    def fov_mask(self, like: Tensor) -> Tensor:
        """bool `[H W]`, on the device of `like`: pixels in the field of view of every view."""
        if not self.truncated_bins:
            return torch.ones(self.grid.height, self.grid.width, dtype=torch.bool).to(like.device)
        away = torch.hypot(self.grid.x()[None], self.grid.y()[:, None])
        return (away < self._fov_radius()).to(like.device)

    def _fov_radius(self) -> float:
        """cm from the axis to the outermost ray that is measured."""
        return float(self.geometry.rays()[1][0, self.truncated_bins].abs())

    def _missing_bins(self) -> float:
        """Bins at each end of a view behind which there is patient, if one fills the image."""
        # Half the patient, if the image is full of it, minus the half that is measured, in bins.
        half = max(self.grid.height, self.grid.width) * self.grid.pixel / 2
        return max(0.0, half - self._fov_radius()) / self.geometry.pitch_at_axis

    def _parallel(self) -> tuple[MatlabParallel, Fan]:
        fan = self.geometry
        if not isinstance(fan, Fan):
            raise ValueError("only a fan is projected through parallel views")
        # The bins of MATLAB's radon: the half diagonal and a margin, in pixels.
        bins = 2 * math.ceil(math.sqrt(2) * max(self.grid.height, self.grid.width) / 2) + 3
        return MatlabParallel(fan.views // 2, bins, self.grid.pixel), fan


def extrapolate_truncated(sinogram: Tensor, truncated_bins: int, missing: float) -> Tensor:
    """`[B 1 V D]` with `truncated_bins` more bins at each end, extrapolated from the outermost one.

    Its value falls to zero as a squared cosine, so that the filter meets no step, over 1.35 times
    the `missing` bins of patient: the area of what a cylinder lacks, within 2 % for fields of 0.7
    to 0.95 of its diameter. Some such extrapolation is the usual remedy for truncated views
    (Ohnesorge et al., Med. Phys. 27, 2000, mirror the view there); values stay a little wrong, most
    at the rim of the field.
    """
    # 1 is where the extrapolation has fallen to zero.
    place = torch.arange(1, truncated_bins + 1) / max(1.0, 1.35 * missing)
    fall = (torch.cos(place.clamp_max(1) * math.pi / 2) ** 2).to(sinogram)
    left, right = sinogram[..., :1] * fall.flip(0), sinogram[..., -1:] * fall
    return torch.cat([left, sinogram, right], -1)


def adn(size: int = 256) -> CT:
    """The scanner of the ADN paper's SYN data: 256 px of 0.06 cm, 320 views, 197 bins of 0.1
    degrees, source at 1075 px.

    Source: released ADN simulation (prepare_deep_lesion.m, config/dataset.yaml). What matches its
    shipped samples are MATLAB's conventions: the axis is pixel floor((N + 1) / 2), fanbeam
    interpolates radon's parallel views, ifanbeam rebins to parallel views one pixel apart.
    Another `size` keeps the field of view and the scanner and changes the pixels.
    """
    # asin(181 px / 1075 px) is 9.7 degrees to the corners, and one bin more: 2 x 98 + 1 bins.
    fan = FanArc(views=320, bins=197, pitch=math.radians(0.1), source=1075 * 0.06)
    axis = float((size + 1) // 2 - 1)
    return CT(fan, Grid(size, size, 0.06 * 256 / size, (axis, axis)), matlab=True)


def syndeeplesion(size: int = 416) -> CT:
    """The scanner of SynDeepLesion: 416 px of 0.0369 cm, 640 views, 641 bins on a flat detector
    as long as four half diagonals, source and detector 1075 px from the axis.

    Source: released InDuDoNet geometry.
    """
    pixel = 512 / 416 * 0.03
    side = 416 * pixel
    away = 1075 * pixel
    fan = FanFlat(640, 641, pitch=2 * math.sqrt(2) * side / 641, source=away, detector=away)
    return CT(fan, Grid(size, size, side / size))


def clinical(height: int, width: int, pixel: float) -> CT:
    """A third-generation scanner about an image of any size and pixel (cm).

    Source to axis 54 cm as in the large clinical scanners; one ray a pixel at the axis, and views
    enough for the rim of the field (Kak and Slaney, section 5.1: about pi / 2 views a bin over a
    whole turn), a multiple of four.
    """
    grid = Grid(height, width, pixel)
    # A very large image would otherwise reach beyond the source.
    source = max(54.0, 1.2 * grid.radius)
    return _arc(grid, source, views=4 * math.ceil(math.pi / 2 * max(height, width) / 4))


def arc(height: int, width: int, pixel: float) -> CT:
    """A third-generation scanner that grows with the image (pixel in cm).

    The source is 1.35 fields from the axis: 54 cm at a field of 40 cm, between the 53.5 and 61 cm
    of clinical scanners for fields of 40 to 45 cm. In pixels all fields so have the same rays, and
    one matrix serves a whole training. Rays a pixel apart at the axis; about pi / 2
    views a bin across the field, a multiple of eight.
    """
    source = 1.35 * max(height, width) * pixel
    views = 8 * round(math.pi / 2 * max(height, width) / 8)
    return _arc(Grid(height, width, pixel), source, views)


def _arc(grid: Grid, source: float, views: int) -> CT:
    # Radians that span one pixel at the axis; bins out to the corners and one more at each end.
    pitch = grid.pixel / source
    bins = 2 * math.ceil(math.asin(grid.radius / source) / pitch) + 3
    return CT(FanArc(views, bins, pitch, source), grid)


def cone_beam(height: int, width: int, pixel: float) -> CT:
    """The middle plane of a flat panel that turns about the patient (pixel in cm).

    Source 2.5 fields from the axis and the panel half as far behind it: 100 and 50 cm at a field
    of 40 cm, as of panels on linear accelerators. Bins are 1.5 pixels at the axis, and there are
    half as many views as bins ask for.
    """
    grid = Grid(height, width, pixel)
    source = 2.5 * max(height, width) * pixel
    at_axis = 1.5 * pixel
    # The tangent ray to the circle about the image, where it meets the axis.
    reach = source * math.tan(math.asin(grid.radius / source))
    bins = 2 * math.ceil(reach / at_axis) + 3
    views = 8 * round(0.8 * max(height, width) / 8)
    fan = FanFlat(views, bins, 1.5 * at_axis, source, source / 2)
    return CT(fan, grid, kernel="hann")


def reprojection(height: int, width: int, pixel: float) -> CT:
    """Parallel views for re-projecting an image that came without its sinogram.

    Without a measured sinogram the true rays are unknown; parallel views hold the same lines in
    half the numbers. Rays a pixel apart, and pi / 2 views for each bin across the image, which
    resolves streaks up to its rim: with two thirds of them the error was larger on each of six
    simulated clinical slices, by 2 % (benchmarks/reprojection.py).
    """
    grid = Grid(height, width, pixel)
    bins = 2 * math.ceil(grid.radius / pixel) + 1
    views = 4 * math.ceil(math.pi / 2 * max(height, width) / 4)
    return CT(Parallel(views, bins, pixel), grid)
