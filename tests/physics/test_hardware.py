"""Implants of known kinds: their size, their metal, their place."""

import math

import numpy as np
import pytest
import torch

from unmetal.errors import InputError
from unmetal.physics.implants.kinds import ALIKE, KINDS, Anatomy, choose_hardware
from unmetal.physics.implants.primitives import Implant, implant_share

PIXEL = 1.5
METALS = ("ti", "steel", "cocr", "au", "amalgam")


def trunk(size: int = 240) -> np.ndarray:
    """HU `[H W]`: a trunk of 330 x 210 mm with a vertebra, two joints and a cortex."""
    rows, columns = np.mgrid[:size, :size]
    down, right = (rows - size / 2) * PIXEL, (columns - size / 2) * PIXEL
    hu = np.where((right / 165) ** 2 + (down / 105) ** 2 < 1, 40.0, -1000.0)
    hu[np.hypot(right, down - 50) < 22] = 400
    for side in (-1, 1):
        hu[np.hypot(right - side * 95, down) < 24] = 500
        hu[np.hypot(right - side * 95, down) < 8] = 900
    return hu


def head(size: int = 160) -> np.ndarray:
    """HU `[H W]`: 150 mm with a skull and teeth."""
    rows, columns = np.mgrid[:size, :size]
    down, right = (rows - size / 2) * PIXEL, (columns - size / 2) * PIXEL
    hu = np.where(np.hypot(right, down) < 75, 40.0, -1000.0)
    hu[(np.hypot(right, down) > 60) & (np.hypot(right, down) < 68)] = 800
    hu[np.hypot(right - 20, down + 30) < 6] = 2000
    return hu


def test_a_share_is_the_area_of_the_implant_even_where_it_is_thin():
    wire = Implant(30.3, 40.7, 20, 0.8, 0.4, oval=False)
    share = implant_share([wire], 60, 80, 1.5)
    assert 0 < share.max() < 1
    assert share.sum() * 1.5**2 == pytest.approx(16, rel=0.05)
    head = Implant(30, 40, 32, 32, 0.0, oval=True)
    assert implant_share([head], 60, 80, 1.0).sum() == pytest.approx(math.pi * 16**2, rel=0.01)
    cup = Implant(30, 40, 50, 50, 0.0, oval=True, wall=4)
    ring = math.pi * (25**2 - 21**2)
    assert implant_share([cup], 60, 80, 1.0).sum() == pytest.approx(ring, rel=0.02)
    both = implant_share([head, cup], 60, 80, 1.0)
    assert both.sum() == pytest.approx(ring + math.pi * 16**2, rel=0.02)
    assert not implant_share([Implant(-40, 40, 20, 20, 0.0, oval=True)], 60, 80, 1.0).any()


def test_every_kind_is_drawn_in_its_metal_in_its_place_and_at_its_size():
    hu = trunk()
    anatomy = Anatomy(hu, PIXEL)
    found = {}
    for seed in range(150):
        drawn = choose_hardware(hu, PIXEL, METALS, np.random.default_rng(seed))
        assert drawn.material in KINDS[drawn.kind].metals
        share = drawn.share(*hu.shape, PIXEL)
        area = float(share.sum()) * PIXEL**2
        found.setdefault(drawn.kind, []).append(area)
        assert float((share * torch.from_numpy(anatomy.body)).sum() / share.sum()) > 0.9
        if drawn.kind in {"hip", "stem"}:
            assert all(abs(p.column - 120) * PIXEL > 60 for p in drawn.parts)
        if drawn.kind == "spine":
            assert all(abs(p.column - 120) * PIXEL < 30 and p.row > 120 for p in drawn.parts)
        if drawn.kind == "port":
            assert all(p.row < 120 for p in drawn.parts)
    assert set(found) == set(KINDS)
    limits = {"hip": (600, 3400), "stem": (40, 210), "spine": (23, 830), "port": (80, 180)}
    limits |= {"clips": (6, 82), "markers": (2, 19), "fillings": (4, 320)}
    for kind, (low, high) in limits.items():
        assert low < min(found[kind]) <= max(found[kind]) < high, kind


def test_heads_get_fillings_and_no_hips_or_rods():
    hu = head()
    kinds = {
        choose_hardware(hu, PIXEL, METALS, np.random.default_rng(seed)).kind for seed in range(60)
    }
    assert "fillings" in kinds
    assert not kinds & {"hip", "stem", "spine"}
    # Where nothing of a metal belongs, it is put anywhere in the body.
    assert choose_hardware(hu, PIXEL, ["cocr"], np.random.default_rng(0)).kind in {"hip", "stem"}


def test_the_same_seed_gives_the_same_implant():
    hu = trunk()
    one, same, other = (
        choose_hardware(hu, PIXEL, METALS, np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert one == same != other


def test_what_cannot_be_drawn_is_said_or_left_out():
    assert (
        choose_hardware(np.full((64, 64), -1000.0), 1.0, METALS, np.random.default_rng(0)) is None
    )
    with pytest.raises(InputError, match="no metal 'wood'"):
        choose_hardware(trunk(), PIXEL, ["wood"], np.random.default_rng(0))
    for pure, alike in ALIKE.items():
        drawn = choose_hardware(trunk(), PIXEL, [pure], np.random.default_rng(1))
        assert drawn.material == pure
        assert alike in KINDS[drawn.kind].metals
