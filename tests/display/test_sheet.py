"""Sheets: an inch is an inch, from the upper left corner."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from unmetal.display.look import Window
from unmetal.display.sheet import METAL, axes_at, show_slice, write


def test_axes_and_texts_lie_where_they_are_asked_for_in_inches() -> None:
    figure = Figure(figsize=(8, 5), dpi=50)
    box = axes_at(figure, left=1, top=0.5, width=2, height=3).get_window_extent()
    assert (box.x0, box.width) == pytest.approx((50, 100))
    assert (250 - box.y1, box.height) == pytest.approx((25, 150))
    write(figure, 4, 1, "text")
    assert figure.texts[0].get_position() == pytest.approx((0.5, 0.8))


def test_a_slice_is_clipped_to_its_window_and_only_metal_is_covered() -> None:
    hu = np.array([[-1000.0, 40.0], [300.0, 9000.0]])
    axes = axes_at(Figure(figsize=(1, 1), dpi=50), 0, 0, 1, 1)
    show_slice(axes, hu, hu > 2500, Window(400, 40))
    gray, cover = (image.get_array() for image in axes.images)
    assert gray.tolist() == [[-160, 40], [240, 240]]
    assert cover.mask.tolist() == [[True, True], [True, False]]
    assert axes.images[1].get_cmap().colors == [METAL]
