"""The pictures of a page: a slice as JPEG, and the lines and letters upon it as vectors.

Lengths on a panel are millimetres of the patient, so that a picture keeps its shape whatever its
pixels are, and lines stay thin and letters sharp on any screen and on paper.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
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

MOST_PX = 480
"""Width of the widest still picture, pixels; with scripts each pixel of the slice is shown."""

THUMBNAIL_PX = 88
"""Longer side of a thumbnail, pixels."""

PREVIEW_PX = 220
"""Width of one slice in the archive's list, pixels."""

SMALL_PX = 144
"""Width of the picture of an object, pixels: twice what it is shown at, for fine screens."""

QUALITY = 80
"""Of a JPEG, 1 to 95: the exact HU are in the page beside it (`slice_values`)."""

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
    """A JPEG as a `data:` URI."""
    box: Box
    """What of the slice is shown, pixels."""
    metal: str
    """Outlines as SVG path data; empty where there are none."""
    body: str = ""
    """Outlines, the same way."""
    ring: str = ""
    """Outlines of what is within `RING_MM` of metal."""
    alone: str = ""
    """Outlines of dense objects that were left alone."""
    values: str = ""
    """Which HU a grey picture shows, `before` or `after`; empty for colours."""
    edges: Edges | None = None


def gray(
    name: str,
    hu: np.ndarray,
    metal: np.ndarray,
    style: PanelStyle,
    *,
    ringed: bool = False,
    alone: np.ndarray | None = None,
) -> Panel:
    """A slice, HU `[H W]`, in the style's window, with its metal, bool `[H W]`, outlined.

    name: begins with `before` or `after`.
    ringed: outline what is within `RING_MM` of metal, too.
    alone: bool `[H W]`, dense objects that were left alone, outlined otherwise.
    """
    outlined = {"metal": metal} | ({} if alone is None else {"alone": alone})
    if ringed:
        distance = ndimage.distance_transform_edt(~metal, sampling=style.pixel)
        outlined["ring"] = ndimage.binary_fill_holes(distance <= RING_MM)
    levels, values = to_gray(crop(hu, style.box), style.window), name.partition(" ")[0]
    return replace(_panel(name, levels, None, style, **outlined), values=values)


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
    # Any metal within a pixel of the thumbnail makes it red.
    return _with_red(np.asarray(small), np.asarray(mask) > 0)


def small_picture(hu: np.ndarray, outlined: np.ndarray, style: PanelStyle) -> str:
    """The part of a slice, HU `[H W]`, in a box, `SMALL_PX` wide, with a red line about a mask,
    bool `[H W]`, as a `data:` URI."""
    levels = Image.fromarray(to_gray(crop(hu, style.box), style.window))
    size = (SMALL_PX, max(1, round(SMALL_PX * style.aspect)))
    mask = Image.fromarray(crop(outlined, style.box).astype(np.uint8) * 255)
    inside = np.asarray(mask.resize(size, Image.Resampling.BILINEAR)) > 127
    # Outside of the mask, so that what is within stays to be seen.
    rim = ndimage.binary_dilation(inside, iterations=2) & ~ndimage.binary_dilation(inside)
    return _with_red(np.asarray(levels.resize(size, Image.Resampling.BICUBIC)), rim)


def preview(slices: list[np.ndarray], style: PanelStyle) -> str:
    """Slices, HU `[H W]` each, small and side by side, as a `data:` URI."""
    size = (PREVIEW_PX, max(1, round(PREVIEW_PX * style.aspect)))
    small = [
        Image.fromarray(to_gray(crop(hu, style.box), style.window)).resize(size) for hu in slices
    ]
    beside = np.concatenate([np.asarray(one) for one in small], axis=1)
    return _data_uri(Image.fromarray(beside), "JPEG", quality=QUALITY)


def _with_red(levels: np.ndarray, red: np.ndarray) -> str:
    """Grey values, uint8 `[H W]`, red where a mask, bool `[H W]`, says so, as a `data:` URI."""
    # 255 grays, and red as the 256th color.
    index = np.where(red, 255, np.minimum(levels, 254))
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
        picture=jpeg_uri(_sized(levels.round().astype(np.uint8)), palette),
        box=style.box,
        edges=style.edges,
        **{field: outline(mask, style) for field, mask in outlined.items()},
    )


def _sized(levels: np.ndarray) -> np.ndarray:
    """Grey values, uint8 `[H W]`, of a picture at least `LEAST_PX` wide (a browser magnifies the
    label of a smaller one until nobody can read it) and at most `MOST_PX`, to bound the page."""
    height, width = levels.shape
    times = -(-LEAST_PX // width) if width <= MOST_PX else MOST_PX / width
    if times == 1:
        return levels
    size = (round(width * times), max(1, round(height * times)))
    return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC))


def png_uri(levels: np.ndarray, palette: np.ndarray) -> str:
    """uint8 `[H W]` in a palette uint8 `[256 RGB]`, as the `data:` URI of a PNG."""
    picture = Image.fromarray(levels).convert("P")
    picture.putpalette(palette.tobytes())
    return _data_uri(picture, "PNG", compress_level=6)


def jpeg_uri(levels: np.ndarray, palette: np.ndarray | None = None) -> str:
    """uint8 `[H W]`, grey or in a palette uint8 `[256 RGB]`, as the `data:` URI of a JPEG. What the
    picture may be used for is burned in, so that it says so wherever it is copied.
    """
    picture = Image.fromarray(levels if palette is None else palette[levels])
    _burn(picture)
    # Without subsampling: thin colored streaks keep their color.
    return _data_uri(picture, "JPEG", quality=QUALITY, subsampling=0)


def _data_uri(picture: Image.Image, form: str, **options: int) -> str:
    buffer = BytesIO()
    picture.save(buffer, form, **options)
    return f"data:image/{form.lower()};base64," + b64encode(buffer.getvalue()).decode()


def _burn(picture: Image.Image) -> None:
    """Write the label into the lower left corner, on a dark ground."""
    size = max(8, round(picture.width * 0.028))
    light, dark = (255, 0) if picture.mode == "L" else ((255, 255, 255), (0, 0, 0))
    ImageDraw.Draw(picture).text(
        (round(0.6 * size), picture.height - round(1.7 * size)),
        LABEL,
        fill=light,
        font=ImageFont.load_default(size),
        stroke_width=1,
        stroke_fill=dark,
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
