"""The contact sheet: every group, in its window, with the numbers that decided."""

import numpy as np
from matplotlib.colors import to_rgb
from PIL import Image

from unmetal.cohorts.preparation.assemble import Group, evenly_spaced
from unmetal.cohorts.preparation.contact_sheet import (
    BROAD,
    NAME,
    contact_sheet,
)
from unmetal.cohorts.preparation.manifest import Row
from unmetal.display.sheet import METAL

ROW = Row(max_hu=3071.0, component_px=512, split="train")


def group(name: str, count: int, hu: float) -> Group:
    return Group(name, 40, [(ROW, np.full((8, 8), hu, np.int16))] * count)


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_every_group_and_slice_is_named_with_its_numbers():
    figure = contact_sheet([group("affected", 2, 0), group("clean", 7, 0), group("left out", 0, 0)])
    said = words(figure)
    assert {"affected: 2 of 40", "clean: 7 of 40", "left out: 0 of 40"} <= set(said)
    assert said.count("3071 HU, 512 px, train") == 9
    assert "Window W 1500 L 200 HU" in said[-1]
    assert len(figure.axes) == 9


def test_the_window_is_the_one_stated_and_metal_is_red(tmp_path):
    values = (*BROAD.limits, 200, 3000)
    contact_sheet([group("g", 1, hu) for hu in values]).savefig(tmp_path / NAME)
    figure = contact_sheet([group("g", 1, hu) for hu in values])
    with Image.open(tmp_path / NAME) as drawn:
        picture = np.asarray(drawn)[..., :3] / 255
    height = picture.shape[0]
    middles = []
    for axes in figure.axes:
        box = axes.get_position()
        row = round((1 - (box.y0 + box.y1) / 2) * height)
        middles.append(picture[row, round((box.x0 + box.x1) / 2 * picture.shape[1])])
    for found, grey in zip(middles, (0, 1, 0.5), strict=False):
        assert np.allclose(found, grey, atol=0.01)
    assert np.allclose(middles[3], to_rgb(METAL), atol=0.01)


def test_panels_are_square_and_inside_the_sheet():
    figure = contact_sheet([group("affected", 12, 0), group("clean", 1, 0)])
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        box = axes.get_position()
        assert abs(box.width * width - box.height * height) < 1e-6
        assert box.y0 > 0
        assert box.y1 < 1
        assert box.x1 < 1


def test_slices_are_shown_from_the_first_to_the_last():
    assert evenly_spaced(range(100), 5) == [0, 25, 50, 74, 99]
    assert evenly_spaced(range(3), 5) == [0, 1, 2]
    assert evenly_spaced([], 5) == []
