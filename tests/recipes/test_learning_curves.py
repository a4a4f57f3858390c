"""Learning curves: every run is named, apart from the others, and inside of the page."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from learning_curves import (
    COLOURS,
    DASHES,
    PANELS,
    History,
    apart,
    curves,
    history,
    style,
    thousands,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unmetal.errors import InputError


def run(end: float, samples: int = 6000) -> History:
    seen = list(range(500, samples + 1, 500))
    rising = [end - 3 / (i + 1) for i in range(len(seen))]
    metrics = {"psnr": rising, "ssim": [one / 40 for one in rising]}
    return History(seen, metrics, {"psnr": 28.85, "ssim": 0.75})


def test_names_are_inside_of_the_page_and_do_not_overlap() -> None:
    histories = {f"destreaknet-syn-{i}": run(33 + 0.01 * i, 6000 + 500 * i) for i in range(12)}
    figure = curves(histories)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == 12 + 1
        for box in boxes:
            assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
        assert np.diff(middles).min() > 0.7 * boxes[0].height
    first, second = figure.axes[0].get_window_extent(), figure.axes[1].get_window_extent()
    assert max(t.get_window_extent().x1 for t in figure.axes[0].texts) < second.x0
    assert first.width == pytest.approx(second.width, rel=0.1)


def test_what_is_shown_are_the_validations() -> None:
    figure = curves({"adn": run(33), "li-like": run(30)})
    axes = figure.axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 12]
    assert [list(line.get_ydata()) for line in lines] == [
        run(33).metrics["psnr"],
        run(30).metrics["psnr"],
    ]
    assert [text.get_text().split() for text in axes.texts] == [
        *(["adn", "32.75"], ["li-like", "29.75"], ["input", "28.85"])
    ]


def test_what_is_left_and_copied_is_drawn_where_all_runs_have_it() -> None:
    old, new = run(30), run(33)
    new.metrics.update(left=[0.6] * len(new.samples), copy=[34.0] * len(new.samples))
    assert len(curves({"old": old, "new": new}).axes) == 2
    heads = [axes.get_ylabel() for axes in curves({"new": new}).axes]
    assert heads == [panel.head for panel in PANELS]


def test_no_two_of_twenty_lines_look_alike() -> None:
    assert len({(style(i)["color"], style(i)["ls"]) for i in range(20)}) == 20
    assert len(COLOURS) * len(DASHES) >= 20


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_names_keep_their_order_and_their_distance(wanted) -> None:
    heights = apart(np.array(wanted), 0.05, 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    assert np.diff(heights[order]).min(initial=1) >= 0.05 - 1e-9
    assert heights.min() >= -1e-9
    assert heights.max() <= 1 + 1e-9


def test_names_that_have_room_stay_where_their_curve_ends() -> None:
    assert apart(np.array([0.9, 0.1, 0.5]), 0.05, 0, 1).tolist() == [0.9, 0.1, 0.5]


def test_numbers_of_samples_are_short() -> None:
    assert [thousands(n) for n in (500, 2000, 50_000, 1e6)] == ["500", "2k", "50k", "1M"]


def log(folder, *lines: dict) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def at(samples: int, psnr: float) -> dict:
    return {"samples": samples, "validation": {"psnr": psnr}}


def test_validations_and_the_input_are_found_among_losses(tmp_path) -> None:
    losses = {"samples": 50, "losses": {"generator/l1": 1.0}}
    log(tmp_path, {"samples": 0, "before": {"psnr": 25.0}}, losses, at(100, 30.0), at(200, 31.0))
    found = history(tmp_path)
    assert found.samples == [100, 200]
    assert found.metrics == {"psnr": [30.0, 31.0]}
    assert found.before == {"psnr": 25.0}


def test_a_run_that_went_on_from_an_earlier_state_overwrites_what_came_after(tmp_path) -> None:
    begin = [{"samples": 0, "before": {"psnr": 25.0}}, at(100, 30.0), at(200, 31.0), at(300, 1.0)]
    log(tmp_path, *begin, {"samples": 200, "before": {"psnr": 25.0}}, at(250, 32.0))
    assert history(tmp_path).samples == [100, 200, 250]


def test_no_log_and_no_validation_are_said(tmp_path) -> None:
    with pytest.raises(InputError, match="not the log"):
        history(tmp_path)
    log(tmp_path, {"samples": 0, "before": {"psnr": 25.0}})
    with pytest.raises(InputError, match="no validation"):
        history(tmp_path)
