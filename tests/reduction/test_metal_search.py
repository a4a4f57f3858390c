"""What belongs to an implant although the network does not take it for metal."""

import numpy as np

from unmetal.reduction.metal_search import SLIT_MM, closed, enclosed


def walls(gap: int) -> np.ndarray:
    """bool `[1 30 40]`: two walls and a lid, the left wall at column 5, with a gap between them."""
    mask = np.zeros((1, 30, 40), bool)
    mask[0, 10:20, 5:8] = mask[0, 10:20, 8 + gap : 11 + gap] = True
    mask[0, 8:10, 5 : 11 + gap] = True
    return mask


def test_what_lies_between_the_walls_of_one_object_is_its_own() -> None:
    between = enclosed(walls(12), 1.0)
    assert between[0, 15, 5:23].all()
    assert not between[0, 20:].any(), "below it is open"
    assert not between[0, :8].any()
    assert not between[0, :, :5].any()


def test_between_two_objects_is_tissue() -> None:
    mask = walls(12)
    mask[0, 8:10] = False
    assert np.array_equal(enclosed(mask, 1.0), mask)
    assert not enclosed(mask & False, 1.0).any()


def test_only_narrow_slits_close() -> None:
    narrow, wide = (closed(walls(gap), 1.0)[0, 15] for gap in (3, 12))
    assert narrow[5:14].all()
    assert wide.sum() == 6, f"a gap of more than {2 * SLIT_MM} mm stays"
