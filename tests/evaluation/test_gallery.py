"""The figure of a comparison: everything is where it belongs, and nothing is hidden or cut off."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unmetal.evaluation.gallery import ACROSS, INSET, close_up, gallery
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.tables.rows import Case

SIDE = 64
BODY = np.hypot(*(np.mgrid[:SIDE, :SIDE] - 31.5)) < 22


def pictures(methods: list[str], cases: int = 2) -> Pictures:
    """Discs whose brightness is the method's, with metal in the input."""
    found = Pictures(tuple(Case(str(number)) for number in range(cases)))
    for i, name in enumerate(["input", *methods, "truth"]):
        hu = np.where(BODY, 10.0 * i, -1000.0).astype(np.float16)
        hu[30:34, 40:44] = 9000 if name == "input" else hu[30, 40]
        found.hu[name] = dict.fromkeys(found.wanted, hu)
    return found


def rows(names: list[str]) -> list:
    numbers = {"psnr": 31.234, "ssim": 0.9123, "mask_px": 16}
    return [{"method": name, "slice": i} | numbers for name in names for i in range(2)]


def drawn(figure: Figure) -> np.ndarray:
    figure.set_dpi(72)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def test_panels_have_their_names_numbers_and_the_note_its_window() -> None:
    figure = gallery(pictures(["li"]), rows(["input", "li"]), ["input", "li"])
    assert [axes.get_title() for axes in figure.axes] == ["input", "li", "truth"] * 2
    assert [axes.get_xlabel() for axes in figure.axes[:3]] == ["31.23 dB / 0.912"] * 2 + [""]
    texts = [text.get_text() for text in figure.texts]
    assert "slice 0, 16 px of metal" in texts
    assert "W 400 L 40 HU" in texts[-1]
    assert "above 2500 HU in the input" in texts[-1]


@pytest.mark.parametrize("methods", [1, 6, 12])
def test_all_methods_find_room_and_nothing_is_cut_off_or_overlaps(methods) -> None:
    names = [f"a-long-name-{i}" for i in range(methods)]
    figure = gallery(pictures(names), rows(["input", *names]), ["input", *names])
    assert len(figure.axes) == 2 * (methods + 2)
    drawn(figure)
    page = figure.bbox
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts]
    for box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    panels = [axes.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(b) for i, one in enumerate(panels) for b in panels[i + 1 :])
    assert len({round(box.x0) for box in panels}) <= ACROSS


def test_pixels_are_square() -> None:
    figure = gallery(pictures(["li"]), [], ["input", "li"])
    box = figure.axes[0].get_window_extent()
    assert box.width == pytest.approx(box.height)


def test_metal_is_red_in_every_panel_and_nothing_else_is() -> None:
    figure = gallery(pictures(["li"], cases=1), [], ["input", "li"])
    pixels = drawn(figure)
    red = (pixels[..., 0] > 0.9) & (pixels[..., 1:] < 0.4).all(-1)
    height = pixels.shape[0]
    for axes in figure.axes:
        box = axes.get_window_extent()
        rows_ = slice(int(height - box.y1), int(height - box.y0))
        share = red[rows_, int(box.x0) : int(box.x1)].mean()
        assert 16 / SIDE**2 < share < 0.06, "once where it is, and once in the close-up"
    assert red.any()


def test_the_close_up_covers_neither_the_metal_nor_more_body_than_it_must() -> None:
    affected, truth = (np.where(BODY, 40.0, -1000.0) for _ in range(2))
    affected[30:34, 40:44] = 9000
    truth[:32] = 40.0
    zoom, corner = close_up(affected, truth)
    assert zoom.top <= 30
    assert zoom.bottom >= 34
    assert corner[0] == 1, "the upper corners are full"
    affected[50:54, 50:54] = affected[50:54, 10:14] = 9000
    affected[30:34, 40:44] = 40
    zoom, corner = close_up(affected, truth)
    start = SIDE - round(INSET * SIDE)
    assert not (corner[0] == 1 and zoom.bottom > start and zoom.left < start < zoom.right)


def test_who_was_not_evaluated_on_a_case_has_an_empty_panel() -> None:
    found = pictures(["li", "dip"])
    del found.hu["dip"][Case("1")]
    figure = gallery(found, rows(["li"]), ["input", "li", "dip"])
    said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert [texts == ["not evaluated"] for texts in said] == [False] * 6 + [True, False]


def test_cases_that_nobody_was_evaluated_on_are_left_out() -> None:
    found = pictures(["li"])
    for some in found.hu.values():
        del some[Case("0")]
    assert len(gallery(found, [], ["input", "li"]).axes) == 3
