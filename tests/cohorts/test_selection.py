"""The paper's rules on the slices that lie just on either side of them."""

import numpy as np
import pytest
from archives import slice_of

from unmetal.cohorts.preparation.request import Limits
from unmetal.cohorts.preparation.selection import (
    by_maximum,
    largest_component,
    only_affected,
    only_clean,
    without_metal,
)
from unmetal.errors import InputError

PAPER = Limits()


def judged(hu, rule=by_maximum, limits=PAPER):
    return rule(hu, 1.5, limits)


@pytest.mark.parametrize(("pixels", "decision"), [(400, "left out"), (401, "affected")])
def test_more_than_400_pixels_are_affected(pixels, decision):
    found = judged(slice_of(pixels))
    assert found.decision == decision
    assert (found.max_hu, found.component_px) == (3000, pixels)


@pytest.mark.parametrize(
    ("top", "decision", "reason"),
    [
        (1999, "clean", ""),
        (2000, "clean", ""),
        (2001, "left out", "denser than clean slices are"),
        (2500, "left out", "denser than clean slices are"),
        (2501, "left out", "too little metal"),
    ],
)
def test_the_maximum_decides_what_is_clean(top, decision, reason):
    found = judged(slice_of(top=top))
    assert (found.decision, found.reason, found.max_hu) == (decision, reason, top)
    assert found.component_px == (top > 2500)


def test_metal_is_what_exceeds_2500_not_what_equals_it():
    hu = slice_of(401)
    hu[hu == 3000] = 2500
    assert judged(hu).component_px == 0
    hu[hu == 2500] = 2500.5
    assert judged(hu).decision == "affected"


def test_diagonal_neighbours_are_one_piece():
    diagonal = np.eye(450, dtype=bool)
    assert largest_component(diagonal) == 450
    hu = np.full((450, 450), -1000.0)
    hu[diagonal] = 3000
    assert judged(hu).decision == "affected"
    apart = np.zeros((8, 8), bool)
    apart[0, 0] = apart[0, 2] = apart[2, 2] = apart[3, 3] = True
    assert largest_component(apart) == 2
    assert largest_component(np.zeros((3, 3), bool)) == 0


def test_the_largest_piece_counts_not_their_sum():
    hu = slice_of(300)
    hu[5:13, 20:40] = 3000
    assert (hu > 2500).sum() == 460
    assert judged(hu) == ("left out", "too little metal", 3000, 300)


@pytest.mark.parametrize(
    ("hu", "expected"),
    [
        (slice_of(401), {"cbct": "affected", "clean": "left out", "syn": "left out"}),
        (slice_of(), {"cbct": "left out", "clean": "clean", "syn": "clean"}),
        (slice_of(top=2300), {"cbct": "left out", "clean": "left out", "syn": "clean"}),
    ],
    ids=["metal", "clean", "between"],
)
def test_the_other_rules(hu, expected):
    found = {
        "cbct": judged(hu, only_affected),
        "clean": judged(hu, only_clean),
        "syn": judged(hu, without_metal),
    }
    assert {name: one.decision for name, one in found.items()} == expected
    assert all(bool(one.reason) == (one.decision == "left out") for one in found.values())


def test_metal_outside_the_body_is_no_reason_to_leave_a_slice_of_deeplesion_out():
    hu = slice_of()
    hu[2:4, 2:4] = 3000
    assert judged(hu, without_metal).decision == "clean"
    hu[32:35, 32:35] = 3000
    assert judged(hu, without_metal)[:2] == ("left out", "metal in the body")


def test_limits_are_options_and_must_make_sense():
    assert judged(slice_of(30), limits=Limits(component_px=29)).decision == "affected"
    assert judged(slice_of(top=1500), limits=Limits(clean_hu=1400)).decision == "left out"
    with pytest.raises(InputError, match="overlap"):
        Limits(metal_hu=1500)
    with pytest.raises(InputError, match="0 or more"):
        Limits(component_px=-1)
