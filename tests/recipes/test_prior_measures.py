"""What is measured about priornet: which objects are corrected, how far its error may be believed,
and what its parts are worth."""

import numpy as np
import prior_ablation
import pytest
from calibration import EDGES_HU, slices, wrong_by_bin
from metal_evidence import pieces

from unmetal.cohorts.pairs import Pair
from unmetal.scan import Volume

SIDE, PIXEL = 128, 2.0
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def disc(row: int, column: int, radius: float) -> np.ndarray:
    return np.hypot(ROWS - row, COLUMNS - column) < radius


METAL, PAINTED = disc(64, 40, 3), disc(64, 90, 3)


def pair() -> Pair:
    """A body with metal that darkens its row, and contrast as dense that does nothing."""
    noise = np.random.default_rng(0).normal(0, 10, (SIDE, SIDE))
    free = np.where(disc(64, 64, 55), 40 + noise, -1000)
    free[PAINTED] = 3000
    image = free - 200 * (np.abs(ROWS - 64) < 3) * (free > -500) * ~PAINTED
    image[METAL] = 8000
    return Pair(
        image=image.round().astype(np.int16),
        truth=free.round().astype(np.int16),
        free=free.round().astype(np.int16),
        share=np.where(METAL, 255, 0).astype(np.uint8),
        painted=PAINTED,
        pixel=np.asarray(PIXEL, np.float32),
        info={"kinds": ["rod"]},
    )


def test_metal_and_what_is_painted_are_told_apart() -> None:
    found = {one.painted: one for one in pieces(pair())}
    assert set(found) == {True, False}
    metal = found[False]
    # What it has within 25 mm: 200 HU in a tenth of the pixels.
    assert 10 < metal.artifact < 80
    assert not metal.saturated
    # Beyond 4000 HU there is only metal.
    assert metal.by_streaks
    assert not metal.alone
    assert not found[True].alone, "there is metal in the slice"


def test_wrong_pixels_are_counted_by_what_was_expected() -> None:
    expected = np.array([1.0, 2, 3, 4, 200, 200])
    true = np.array([0.0, 0, 0, 60, 60, 10])
    first, *between, last = wrong_by_bin(expected, true)
    assert len(between) == len(EDGES_HU) - 3
    assert first == pytest.approx((4 / 6, 0.25))
    assert last == pytest.approx((2 / 6, 0.5))
    assert all(share == 0 and np.isnan(wrong) for share, wrong in between)


@pytest.mark.recipe
def test_every_row_of_the_ablation_is_another_way(tmp_path) -> None:
    pair().save(tmp_path / "validation_broad_1_00000.npz")
    data = slices(tmp_path / "validation_*.npz")
    ways = prior_ablation.ways("priornet")
    scores = prior_ablation.table(data, ways)
    assert scores["input"][0, 1:] == pytest.approx([0, 0])
    errors = {name: rows[0, 0] for name, rows in scores.items()}
    assert all(np.isfinite(error) for error in errors.values())
    assert errors["LI"] != errors["input"]
    # What the refiner chose or left out, and the prior, show in the result.
    parts = [name for name in errors if "refiner" in name or name == "priornet"]
    assert len({round(errors[name], 6) for name in parts}) == len(parts) == 5
    # The edge is within 3 mm of metal, where errors do not count.
    volume, given = Volume(data[0][0][None], (PIXEL,) * 3), METAL[None]
    smooth, hard = (ways[name](volume, given) for name in ("priornet", "no smooth edge"))
    assert np.argwhere(smooth != hard).size > 0
    assert np.array_equal(smooth[METAL], hard[METAL])
