"""Figures: nothing is squashed, mirrored or mislabelled."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unmetal.display.comparison import comparison, difference_colors
from unmetal.display.look import (
    AXIAL,
    Box,
    Edges,
    PanelStyle,
    Window,
    box_around,
    edges_of,
    zoom_box,
)
from unmetal.display.sheet import LABEL

SHAPE = (60, 90)
BOX = Box(0, 60, 0, 90)
BLUE, GREY, AMBER = (0.30, 0.65, 1.0), (0.1, 0.1, 0.1), (1.0, 0.69, 0.0)


def slice_(value: float = 0.0) -> np.ndarray:
    return np.full(SHAPE, value, np.float32)


def metal() -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[10:20, 15:30] = True
    return mask


@pytest.mark.parametrize(
    ("orientation", "edges"),
    [
        ((1, 0, 0, 0, 1, 0), AXIAL),
        ((-1, 0, 0, 0, -1, 0), Edges("L", "R", "P", "A")),
        ((1, 0, 0, 0, 0, -1), Edges("R", "L", "H", "F")),
        ((0, 1, 0, 0, 0, -1), Edges("A", "P", "H", "F")),
        ((0.97, 0.0, 0.24, 0.0, 0.98, 0.2), AXIAL),
    ],
)
def test_letters_follow_the_direction_cosines(orientation, edges) -> None:
    assert edges_of(orientation) == edges


@pytest.mark.parametrize("pixel", [(1.0, 1.0), (2.0, 1.0), (0.7, 0.9)])
def test_a_millimetre_is_as_long_down_as_across(pixel) -> None:
    figure = comparison(
        slice_(), slice_(), metal(), PanelStyle(BOX, pixel), close_up=Box(5, 25, 10, 40)
    )
    width, height = figure.get_size_inches()
    for axes in figure.axes[:3] + figure.axes[4:7]:
        at = axes.get_position()
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        across = at.width * width / ((right - left) * pixel[1])
        down = at.height * height / ((bottom - top) * pixel[0])
        assert down == pytest.approx(across, rel=1e-6)


def test_panels_and_colour_bars_stay_apart_and_inside_of_the_figure() -> None:
    figure = comparison(slice_(), slice_(), metal(), PanelStyle(BOX), truth=slice_())
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == 8
    for number, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= 1
        assert 0 <= one.y0 < one.y1 <= 1
        assert not any(one.overlaps(other) for other in boxes[number + 1 :])


def test_grey_is_the_window_and_rows_run_down() -> None:
    before = slice_(-160.0)
    before[:30] = 240.0
    figure = comparison(before, before, np.zeros(SHAPE, bool), PanelStyle(BOX, edges=None))
    pixels, axes = draw(figure), figure.axes[0]
    assert at(pixels, axes, 0.75, 0.75) == pytest.approx((1, 1, 1), abs=0.01)
    assert at(pixels, axes, 0.75, 0.25) == pytest.approx((0, 0, 0), abs=0.01)
    assert Window(400, 40).limits == (-160, 240)


def test_the_difference_is_blue_where_hu_fell_and_grey_where_they_hardly_changed() -> None:
    before, after = slice_(), slice_(20.0)
    after[:, :30], after[:, 60:] = -400.0, 400.0
    figure = comparison(
        before, after, np.zeros(SHAPE, bool), PanelStyle(BOX, diff_limit=300, deadband=30)
    )
    pixels, axes = draw(figure), figure.axes[2]
    for place, colour in ((0.2, BLUE), (0.4, GREY), (0.8, AMBER)):
        assert at(pixels, axes, place, 0.7) == pytest.approx(colour, abs=0.02)


def test_colours_are_symmetric_about_a_dead_zone() -> None:
    colours = difference_colors(PanelStyle(BOX, diff_limit=200, deadband=20))
    still = colours.to_rgba(0.0)
    assert colours.to_rgba(19.0) == colours.to_rgba(-19.0) == still
    assert colours.to_rgba(30.0) != still != colours.to_rgba(-30.0)
    assert colours.get_clim() == (-200, 200)


def test_metal_is_outlined_not_covered() -> None:
    pixels_of = comparison(slice_(240.0), slice_(240.0), metal(), PanelStyle(BOX))
    pixels, axes = draw(pixels_of), pixels_of.axes[0]
    inside = at(pixels, axes, 22 / 90, 1 - 15 / 60)
    assert inside == pytest.approx((1, 1, 1), abs=0.01)
    red = (pixels[..., 0] > 0.9) & (pixels[..., 1] < 0.4) & (pixels[..., 2] < 0.4)
    assert red.any()


def test_every_panel_says_research_use_only_and_the_figure_states_its_window() -> None:
    figure = comparison(slice_(), slice_(), metal(), PanelStyle(BOX), title="t", truth=slice_())
    for axes in figure.axes[:3] + figure.axes[4:7]:
        assert LABEL.lower() in [text.get_text() for text in axes.texts]
    texts = " ".join(text.get_text() for text in figure.texts)
    assert LABEL in texts
    assert "W 400 L 40 HU" in texts
    assert "−300 to +300 HU" in texts


def test_boxes_hold_their_mask_and_stay_inside() -> None:
    assert box_around(metal(), 2) == Box(8, 22, 13, 32)
    assert box_around(metal(), 50) == Box(0, 60, 0, 80)
    assert box_around(np.zeros(SHAPE, bool)) == BOX
    assert zoom_box(metal(), BOX, zoom=3) == Box(4, 24, 7, 37)
    corner = np.zeros(SHAPE, bool)
    corner[0, 0] = True
    assert zoom_box(corner, Box(2, 60, 3, 90), zoom=2) == Box(2, 31, 3, 47)


def draw(figure) -> np.ndarray:
    """What is seen: `[H W 3]` from 0 to 1."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def at(pixels: np.ndarray, axes, x: float, y: float) -> tuple[float, ...]:
    """Colour at shares of a panel's width, from the left, and height, from below."""
    place = axes.get_position()
    column = int((place.x0 + x * place.width) * pixels.shape[1])
    row = int((1 - place.y0 - y * place.height) * pixels.shape[0])
    return tuple(pixels[row, column])
