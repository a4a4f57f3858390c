"""The pictures of a page: a slice as PNG, and the lines and letters upon it as vectors.

Lengths on a panel are millimetres of the patient, so that a picture keeps its shape whatever its
pixels are, and lines stay thin and letters sharp on any screen and on paper.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage.measure import approximate_polygon, find_contours

from unmetal.display.comparison import difference_colors
from unmetal.display.look import Box, Edges, PanelStyle, Window
from unmetal.display.sheet import LABEL

RING_MM = 5.0
"""How far from metal an image is least to be believed: there corrected images show hem lines (Acta
Radiologica 2020, 10.1177/0284185120903446)."""

LEAST_PX = 320
"""Width of the narrowest picture, pixels."""

DOUBT_HU = 100.0
"""HU at the end of the scale of the disagreement."""

DOUBT_COLOURS = "magma"
"""From black, even to the eye, and apart for the colour-blind."""


@dataclass(frozen=True)
class Panel:
    """One picture with what is drawn upon it; lengths in mm."""

    name: str
    width: float
    height: float
    picture: str
    """A PNG as a `data:` URI."""
    metal: str
    """Outlines as SVG path data; empty where there are none."""
    body: str = ""
    """The same."""
    ring: str = ""
    """The same, `RING_MM` around the metal."""
    edges: Edges | None = None

    @property
    def letter(self) -> float:
        """Size of the letters, mm."""
        return 0.045 * self.width

    @property
    def bar(self) -> float:
        """Length of the scale bar, mm."""
        return 50.0 if self.width > 200 else 10.0


def grey(
    name: str, hu: np.ndarray, metal: np.ndarray, look: PanelStyle, *, ringed: bool = False
) -> Panel:
    """A slice, HU `[H W]`, in the look's window, with its metal, bool `[H W]`, outlined; `ringed`
    with what is near it, too."""
    panel = _panel(name, shades(cut(hu, look.box), look.window), None, metal, None, look)
    if not ringed:
        return panel
    distance = ndimage.distance_transform_edt(~metal, sampling=look.pixel)
    return replace(panel, ring=outline(ndimage.binary_fill_holes(distance <= RING_MM), look))


def difference(
    name: str, change: np.ndarray, metal: np.ndarray, body: np.ndarray, look: PanelStyle
) -> Panel:
    """A change, HU `[H W]`, in colours; the body, bool `[H W]`, gives bearings."""
    levels = (cut(change, look.box) / look.diff_limit).clip(-1, 1) * 127.5 + 127.5
    palette = difference_palette(look)
    return _panel(name, levels.round().astype(np.uint8), palette, metal, body, look)


def doubt(
    name: str, hu: np.ndarray, metal: np.ndarray, body: np.ndarray, look: PanelStyle
) -> Panel:
    """A disagreement, HU `[H W]`, from 0 to `DOUBT_HU`."""
    levels = (cut(hu, look.box) / DOUBT_HU).clip(0, 1) * 255
    return _panel(name, levels.round().astype(np.uint8), doubt_palette(), metal, body, look)


def difference_palette(look: PanelStyle) -> np.ndarray:
    """uint8 `[256 RGB]`, from -limit to +limit."""
    return _sampled(difference_colors(look).get_cmap())


def doubt_palette() -> np.ndarray:
    """uint8 `[256 RGB]`, from 0 to `DOUBT_HU`."""
    return _sampled(colormaps[DOUBT_COLOURS])


def _sampled(colours: Colormap) -> np.ndarray:
    return (255 * colours(np.linspace(0, 1, 256))[:, :3]).round().astype(np.uint8)


def stops(palette: np.ndarray) -> str:
    """The colours of a palette, uint8 `[256 RGB]`, for a gradient in CSS."""
    return ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in palette[::15])


def thumbnail(hu: np.ndarray, metal: np.ndarray, look: PanelStyle, side: int = 88) -> str:
    """A small picture of a slice, HU `[H W]`, its metal red, as a `data:` URI."""
    levels = shades(cut(hu, look.box), look.window)
    small = Image.fromarray(levels)
    small.thumbnail((side, side), Image.Resampling.BOX)
    mask = Image.fromarray(cut(metal, look.box).astype(np.uint8) * 255)
    mask = mask.resize(small.size, Image.Resampling.BOX)
    # Grey in 255 steps, and red as the 256th: any metal in a cell of the thumbnail shows.
    index = np.where(np.asarray(mask) > 0, 255, np.minimum(np.asarray(small), 254))
    palette = np.repeat(np.arange(256)[:, None], 3, axis=1)
    palette[255] = (255, 59, 48)
    return uri(index.astype(np.uint8), palette.astype(np.uint8))


def cut(slice_: np.ndarray, box: Box) -> np.ndarray:
    """The part of a slice `[H W]` in a box."""
    return slice_[box.top : box.bottom, box.left : box.right]


def shades(hu: np.ndarray, window: Window) -> np.ndarray:
    """uint8 grey values of HU of any shape."""
    low, high = window.limits
    return (255 * ((hu - low) / (high - low)).clip(0, 1)).round().astype(np.uint8)


def _panel(
    name: str,
    levels: np.ndarray,
    palette: np.ndarray | None,
    metal: np.ndarray,
    body: np.ndarray | None,
    look: PanelStyle,
) -> Panel:
    height, width = levels.shape
    return Panel(
        name=name,
        width=width * look.pixel[1],
        height=height * look.pixel[0],
        picture=uri(_large(levels), palette, label=True),
        metal=outline(metal, look),
        body="" if body is None else outline(body, look),
        edges=look.edges,
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


def uri(levels: np.ndarray, palette: np.ndarray | None = None, *, label: bool = False) -> str:
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
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(picture)
    light, dark = _extremes(picture)
    at = (round(0.6 * size), picture.height - round(1.7 * size))
    draw.text(at, LABEL, fill=light, font=font, stroke_width=1, stroke_fill=dark)


def _extremes(picture: Image.Image) -> tuple[int, int]:
    """The lightest and the darkest number that the picture's palette has."""
    palette = picture.getpalette()
    if palette is None:
        return 255, 0
    light = np.reshape(palette, (-1, 3)).sum(1)
    return int(light.argmax()), int(light.argmin())


def outline(mask: np.ndarray, look: PanelStyle) -> str:
    """SVG path data, mm, around what is True in a slice, bool `[H W]`."""
    padded = np.pad(cut(mask, look.box), 1).astype(float)
    lines = [(line - 0.5) * look.pixel for line in find_contours(padded, 0.5)]
    lines = [approximate_polygon(line, look.pixel[0] / 4) for line in lines]
    return "".join(
        "M" + "L".join(f"{column:.1f} {row:.1f}" for row, column in line) + "Z" for line in lines
    )
