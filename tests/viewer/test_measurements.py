"""Statistics of shapes against numpy, written another way."""

from __future__ import annotations

import numpy as np
import pytest

from unmetal.errors import InputError
from unmetal.viewer.measurements import Shape, measure
from unmetal.viewer.placement import grid_from

HU = np.random.default_rng(1).normal(0, 100, (5, 7, 9)).astype(np.float32)
AFTER = HU + np.random.default_rng(2).normal(3, 10, HU.shape).astype(np.float32)
GRID = grid_from(HU.shape, (3.0, 0.5, 0.75), None, spacing_known=True)


def test_a_rectangle_counts_the_pixels_whose_center_is_in_it() -> None:
    shape = Shape("rectangle", "axial", 2, (1.6, 5.2), (4.0, 0.9))
    found = measure(shape, GRID, HU, {"r": AFTER})
    inside = HU[2, 1:6, 2:5]
    assert found["pixels"] == 15
    assert found["area_mm2"] == pytest.approx(15 * 0.5 * 0.75)
    expected = [inside.mean(), inside.std(), inside.min(), inside.max()]
    assert list(found["original"].values()) == pytest.approx(expected, rel=1e-5)
    change = (AFTER - HU)[2, 1:6, 2:5]
    assert found["results"]["r"]["difference"]["mean"] == pytest.approx(change.mean(), rel=1e-4)
    assert found["results"]["r"]["corrected"]["sd"] == pytest.approx(
        AFTER[2, 1:6, 2:5].std(), rel=1e-5
    )


@pytest.mark.parametrize(
    ("plane", "values", "pixel"),
    [
        ("axial", lambda a, b: HU[3, b, a], (0.75, 0.5)),
        ("coronal", lambda a, b: HU[b, 3, a], (0.75, 3.0)),
        ("sagittal", lambda a, b: HU[b, a, 3], (0.5, 3.0)),
    ],
)
def test_an_ellipse_in_each_plane(plane, values, pixel) -> None:
    shape = Shape("ellipse", plane, 3, (1, 0), (5, 3))
    expected = [
        values(a, b)
        for a in range(7)
        for b in range(5)
        if ((a - 3) / 2) ** 2 + ((b - 1.5) / 1.5) ** 2 <= 1
    ]
    found = measure(shape, GRID, HU, {})
    assert found["pixels"] == len(expected)
    assert found["area_mm2"] == pytest.approx(len(expected) * pixel[0] * pixel[1])
    assert found["original"]["mean"] == pytest.approx(np.mean(expected), rel=1e-5)
    assert found["original"]["max"] == pytest.approx(max(expected), rel=1e-5)


def test_a_line_reads_between_pixels() -> None:
    found = measure(Shape("line", "axial", 0, (1, 1), (5, 4)), GRID, HU, {"r": AFTER})
    profile = found["profile"]
    assert found["length_mm"] == pytest.approx(np.hypot(4 * 0.75, 3 * 0.5))
    assert profile["mm"][0] == 0
    assert profile["mm"][-1] == pytest.approx(found["length_mm"])
    assert len(profile["mm"]) == len(profile["original"]) == len(profile["r"]) == found["pixels"]
    assert profile["original"][0] == pytest.approx(HU[0, 1, 1])
    assert profile["r"][-1] == pytest.approx(AFTER[0, 4, 5])
    halfway = measure(Shape("line", "axial", 0, (2.5, 1), (2.5, 1)), GRID, HU, {})
    assert halfway["original"]["mean"] == pytest.approx((HU[0, 1, 2] + HU[0, 1, 3]) / 2)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (Shape("rectangle", "axial", 5, (0, 0), (1, 1)), "axial 5: outside"),
        (Shape("rectangle", "sagittal", -1, (0, 0), (1, 1)), "sagittal -1: outside"),
        (Shape("ellipse", "axial", 0, (0, 0), (1, 99)), "a corner at 99"),
        (Shape("rectangle", "axial", 0, (0.2, 0.2), (0.8, 0.8)), "no center of a pixel"),
    ],
)
def test_what_cannot_be_measured_is_refused(shape: Shape, said: str) -> None:
    with pytest.raises(InputError, match=said):
        measure(shape, GRID, HU, {})


@pytest.mark.parametrize(
    "asked",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"shape":"star","plane":"axial","index":0,"from":[0,0],"to":[1,1]}',
        b'{"shape":"line","plane":"oblique","index":0,"from":[0,0],"to":[1,1]}',
        b'{"shape":"line","plane":"axial","index":0.5,"from":[0,0],"to":[1,1]}',
        b'{"shape":"line","plane":"axial","index":0,"from":[0],"to":[1,1]}',
        b'{"shape":"line","plane":"axial","index":0,"from":[0,NaN],"to":[1,1]}',
        b'{"shape":"line","plane":"axial","index":0,"from":[0,0],"to":[1,1],"results":["x"]}',
        b'{"shape":"line","plane":"axial","index":0,"from":[0,0],"to":[1,1],"results":"x"}',
        b" " * 100_000,
    ],
)
def test_requests_that_make_no_sense_are_answered_in_a_line(app, phantom, asked: bytes) -> None:
    (id,) = app.open(phantom)
    answer = app.client.post(f"api/series/{id}/measure", content=asked)
    assert answer.status_code in {400, 404}
    assert "\n" not in answer.json()["error"]
