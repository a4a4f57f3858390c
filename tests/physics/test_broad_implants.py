"""Implants, lookalikes and machines drawn broader than reality: sizes, places, seeds."""

import numpy as np
import pytest

from unmetal.physics.beam.attenuation import MATERIALS
from unmetal.physics.broad_machines import draw_broad, draw_flat
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.broad_hardware import choose_broad_hardware
from unmetal.physics.implants.broad_kinds import BROAD_KINDS, Anatomy
from unmetal.physics.implants.broad_lookalikes import (
    DENSE_HU,
    choose_broad_lookalikes,
    paint_broad_lookalikes,
)

PIXEL = 2.0

SIZES_MM = {
    "screws": (3, 55), "cage": (12, 34), "coil": (1.8, 14), "seeds": (0.8, 4.5),
    "stent": (0.3, 32), "wires": (0.8, 22), "pacemaker": (1, 55), "leads": (1, 15),
    "jaws": (1.5, 12), "hips": (17, 74), "nail": (4, 90), "plate": (2, 90), "any": (1, 60),
}  # fmt: skip
"""Least and most of any side, as the docstrings say."""


@pytest.fixture(scope="module")
def trunk() -> np.ndarray:
    """HU float32 `[H W]`: 320 x 200 mm of tissue with a vertebra and two joints, in air."""
    rows, columns = np.mgrid[:190, :190]
    down, right = (rows - 90) * PIXEL, (columns - 95) * PIXEL
    hu = np.where((right / 160) ** 2 + (down / 100) ** 2 < 1, 40.0, -1000.0)
    hu[np.hypot(right, down - 50) < 20] = 400
    hu[np.hypot(np.abs(right) - 90, down) < 22] = 900
    return hu.astype(np.float32)


@pytest.mark.parametrize("name", BROAD_KINDS)
def test_each_kind_has_the_size_it_says_and_begins_in_the_body(name, trunk) -> None:
    kind, anatomy = BROAD_KINDS[name], Anatomy(trunk, PIXEL)
    assert set(kind.metals) <= set(MATERIALS)
    drawn = [kind.draw(np.random.default_rng(seed), anatomy) for seed in range(60)]
    assert all(parts is not None for parts in drawn)
    sides = [side for parts in drawn for x in parts for side in (x.length, x.width)]
    least, most = SIZES_MM[name]
    assert least <= min(sides)
    assert max(sides) <= most
    # Broad means that the whole range occurs, not its middle.
    assert max(sides) > 0.8 * most
    first = np.array([(parts[0].row, parts[0].column) for parts in drawn if parts])
    inside = anatomy.body[tuple(first.round().astype(int).T)]
    # A screw's middle and a strut may lie beyond the place that was drawn.
    assert inside.mean() > 0.95


def test_no_kind_is_put_where_there_is_no_place(trunk) -> None:
    water = np.full((60, 60), -1000, np.float32)
    water[20:40, 20:40] = 0
    anatomy = Anatomy(water, PIXEL)
    for name in ("screws", "cage", "jaws", "hips"):
        assert BROAD_KINDS[name].draw(np.random.default_rng(0), anatomy) is None
    assert choose_broad_hardware(np.full_like(trunk, -1000), PIXEL, np.random.default_rng(0)) == []


def test_several_implants_of_all_kinds_are_drawn_and_a_seed_is_always_the_same(trunk) -> None:
    def drawn():
        return [choose_broad_hardware(trunk, PIXEL, np.random.default_rng(k)) for k in range(150)]

    chosen = drawn()
    assert chosen == drawn()
    assert {len(some) for some in chosen} == {1, 2, 3}
    kinds = [x.kind for some in chosen for x in some]
    assert set(BROAD_KINDS) < set(kinds)
    assert 0.2 < np.mean([kind not in BROAD_KINDS for kind in kinds]) < 0.4


@pytest.mark.parametrize("dense", [False, True])
def test_lookalikes_make_nothing_less_dense_and_lie_in_the_body(dense, trunk) -> None:
    body = body_mask(trunk, PIXEL)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        objects = choose_broad_lookalikes(body, PIXEL, rng, dense)
        assert 1 <= len(objects) <= 6
        hu, painted = paint_broad_lookalikes(trunk, PIXEL, objects)
        assert (hu >= trunk).all()
        assert (hu[painted] > trunk[painted]).any()
        assert hu.max() <= DENSE_HU[1]
        if dense:
            assert min(x.hu for x in objects) >= DENSE_HU[0]
    assert choose_broad_lookalikes(body & False, PIXEL, np.random.default_rng(0), dense) == []


def test_the_machine_that_is_held_back_is_another_one() -> None:
    rng = np.random.default_rng(0)
    broad = [draw_broad(rng, (96, 96), 4.0) for _ in range(80)]
    flat = draw_flat(rng, (96, 96), 4.0)
    assert type(flat.scanner.geometry) is not type(broad[0].scanner.geometry)
    assert flat.motion is None
    assert flat.adaptive_smoothing == 0
    assert len({x.adaptive_smoothing for x in broad}) == 5
    cut = [x.scanner.truncated_bins > 0 for x in broad]
    assert 0 < sum(cut) < 25
    moves = [x.motion is not None for x in broad]
    assert 0.15 < np.mean(moves) < 0.45
