"""The pictures of a page: a slice as PNG, and the lines and letters upon it as vectors.

Lengths on a panel are millimetres of the patient, so that a picture keeps its shape whatever its
pixels are, and lines stay thin and letters sharp on any screen and on paper.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from contourpy import contour_generator
from matplotlib import colormaps
from matplotlib.colors import Colormap
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from unmetal.display.comparison import difference_colors
from unmetal.display.look import Box, Edges, PanelStyle, Window
from unmetal.display.sheet import LABEL

RING_MM = 5.0
"""Distance from metal, mm, within which corrected images show hem lines and are least to be
believed (Acta Radiologica 2020, 10.1177/0284185120903446)."""

LEAST_PX = 320
"""Width of the narrowest picture, pixels."""

THUMBNAIL_PX = 88
"""Longer side of a thumbnail, pixels."""

DOUBT_HU = 120.0
"""HU at the end of the scale of a disagreement or an expected error."""

DOUBT_COLORMAP = "magma"
"""Perceptually uniform, from black, and legible for the colour-blind."""


@dataclass(frozen=True)
class Panel:
    """One picture and the vectors drawn upon it; lengths in mm."""

    name: str
    width: float
    height: float
    picture: str
    """A PNG as a `data:` URI."""
    metal: str
    """Outlines as SVG path data; empty where there are none."""
    body: str = ""
    """Outlines, the same way."""
    ring: str = ""
    """Outlines of what is within `RING_MM` of metal."""
    edges: Edges | None = None


def gray(
    name: str, hu: np.ndarray, metal: np.ndarray, style: PanelStyle, *, ringed: bool = False
) -> Panel:
    """A slice, HU `[H W]`, in the style's window, with its metal, bool `[H W]`, outlined.

    ringed: outline what is within `RING_MM` of metal, too.
    """
    outlined = {"metal": metal}
    if ringed:
        distance = ndimage.distance_transform_edt(~metal, sampling=style.pixel)
        outlined["ring"] = ndimage.binary_fill_holes(distance <= RING_MM)
    return _panel(name, to_gray(crop(hu, style.box), style.window), None, style, **outlined)


def difference(
    name: str, change: np.ndarray, metal: np.ndarray, body: np.ndarray, style: PanelStyle
) -> Panel:
    """A change, HU `[H W]`, in colours, with metal and body, bool `[H W]`, outlined."""
    levels = (crop(change, style.box) / style.diff_limit).clip(-1, 1) * 127.5 + 127.5
    return _panel(name, levels, difference_palette(style), style, metal=metal, body=body)


def doubt(
    name: str, hu: np.ndarray, metal: np.ndarray, body: np.ndarray, style: PanelStyle
) -> Panel:
    """A disagreement or an expected error, HU `[H W]`, in colours from 0 to `DOUBT_HU`."""
    levels = (crop(hu, style.box) / DOUBT_HU).clip(0, 1) * 255
    return _panel(name, levels, doubt_palette(), style, metal=metal, body=body)


def difference_palette(style: PanelStyle) -> np.ndarray:
    """uint8 `[256 RGB]`, from -diff_limit to +diff_limit."""
    return _sampled(difference_colors(style).get_cmap())


def doubt_palette() -> np.ndarray:
    """uint8 `[256 RGB]`, from 0 to `DOUBT_HU`."""
    return _sampled(colormaps[DOUBT_COLORMAP])


def _sampled(colormap: Colormap) -> np.ndarray:
    return (255 * colormap(np.linspace(0, 1, 256))[:, :3]).round().astype(np.uint8)


def css_stops(palette: np.ndarray) -> str:
    """The colours of a palette, uint8 `[256 RGB]`, for a gradient in CSS."""
    return ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette[::15])


def thumbnail(hu: np.ndarray, metal: np.ndarray, style: PanelStyle) -> str:
    """A small picture of a slice, HU `[H W]`, its metal red, as a `data:` URI."""
    levels = to_gray(crop(hu, style.box), style.window)
    small = Image.fromarray(levels)
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.BOX)
    mask = Image.fromarray(crop(metal, style.box).astype(np.uint8) * 255)
    mask = mask.resize(small.size, Image.Resampling.BOX)
    # 255 grays, and red as the 256th color. Any metal within a pixel of the thumbnail makes it red.
    index = np.where(np.asarray(mask) > 0, 255, np.minimum(np.asarray(small), 254))
    palette = np.repeat(np.arange(256)[:, None], 3, axis=1)
    palette[255] = (255, 59, 48)
    return png_uri(index.astype(np.uint8), palette.astype(np.uint8))


def crop(slice_: np.ndarray, box: Box) -> np.ndarray:
    """The part of a slice `[H W]` in a box."""
    return slice_[box.top : box.bottom, box.left : box.right]


def to_gray(hu: np.ndarray, window: Window) -> np.ndarray:
    """uint8 grey values of HU of any shape."""
    low, high = window.limits
    return (255 * ((hu - low) / (high - low)).clip(0, 1)).round().astype(np.uint8)


def _panel(
    name: str,
    levels: np.ndarray,
    palette: np.ndarray | None,
    style: PanelStyle,
    **outlined: np.ndarray,
) -> Panel:
    """A picture of levels `[H W]` from 0 to 255.

    outlined: masks of the whole slice, bool `[H W]`, by field of `Panel`.
    """
    height, width = levels.shape
    return Panel(
        name=name,
        width=width * style.pixel[1],
        height=height * style.pixel[0],
        picture=png_uri(_large(levels.round().astype(np.uint8)), palette, label=True),
        edges=style.edges,
        **{field: outline(mask, style) for field, mask in outlined.items()},
    )


def _large(levels: np.ndarray) -> np.ndarray:
    """Grey values, uint8 `[H W]`, of a picture at least `LEAST_PX` wide: a browser magnifies the
    label of a smaller one until nobody can read it."""
    height, width = levels.shape
    times = -(-LEAST_PX // width)
    if times == 1:
        return levels
    size = (width * times, height * times)
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC))


def png_uri(levels: np.ndarray, palette: np.ndarray | None = None, *, label: bool = False) -> str:
    """uint8 `[H W]`, grey or in a palette uint8 `[256 RGB]`, as the `data:` URI of a PNG.

    label: burn in what the picture may be used for, so that it says so wherever it is copied.
    """
    picture = Image.fromarray(levels)
    if palette is not None:
        picture = picture.convert("P")
        picture.putpalette(palette.tobytes())
    if label:
        _burn(picture)
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=6)
    return "data:image/png;base64," + b64encode(buffer.getvalue()).decode()


def _burn(picture: Image.Image) -> None:
    """Write the label into the lower left corner, on a dark ground."""
    size = max(8, round(picture.width * 0.028))
    # Indices of the lightest and the darkest color; without a palette they are gray values.
    light = np.reshape(picture.getpalette() or np.arange(256), (256, -1)).sum(1)
    ImageDraw.Draw(picture).text(
        (round(0.6 * size), picture.height - round(1.7 * size)),
        LABEL,
        fill=int(light.argmax()),
        font=ImageFont.load_default(size),
        stroke_width=1,
        stroke_fill=int(light.argmin()),
    )


def outline(mask: np.ndarray, style: PanelStyle) -> str:
    """SVG path data, mm, around what is True in a slice, bool `[H W]`."""
    # A rim of one pixel closes outlines at the edge, and moves indices by 1; from the middle of a
    # pixel to its edge it is 0.5.
    padded = np.pad(crop(mask, style.box), 1).astype(float)
    path = ""
    for line in contour_generator(z=padded).lines(0.5):
        points = np.asarray(line) - 0.5
        # Two thirds of the points lie on straight lines: leave them out.
        points = points[np.r_[True, np.diff(points, 2, axis=0).any(1), True]] * style.pixel[::-1]
        path += "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
    return path
